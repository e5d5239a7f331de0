"""Tiny random text models in the engine's form, and in that of the reference's library, for
architectures of which only names and numbers differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.monoliths import Keys, Weights, read_gguf, write_copy

__all__ = ["RENAMED", "Renamed", "write_pair"]

Shapes = dict[str, tuple[int, ...]]

EMBD, FFN, HEADS, SIZE, EXPERTS, LAYERS = 32, 64, 2, 16, 4, 2


@dataclass(frozen=True)
class Renamed:
    """`theirs` is the reference's name of the architecture `ours`. `keys` are without it, `shapes`
    have the slowest dimension first. `back` makes the reference's form of the engine's.
    """

    theirs: str
    ours: str
    keys: Mapping[str, Any]
    shapes: Shapes
    back: Callable[[Keys, Weights], None] = lambda keys, weights: None
    renames: Mapping[str, str] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] = field(default_factory=dict)


def write_pair(folder: Path, form: Renamed) -> tuple[Path, Path]:
    """The engine's file, and the reference's."""
    keys: Keys = {"general.architecture": form.ours}
    keys |= {f"{form.ours}.{name}": value for name, value in form.keys.items()}
    said, _ = read_gguf(make_tiny_llama(folder / "vocabulary.gguf"))
    tokenizer = {name: value for name, value in said.items() if name.startswith("tokenizer.")}
    keys |= tokenizer | dict(form.tokenizer)
    n_vocab = len(keys["tokenizer.ggml.tokens"])
    draw = np.random.default_rng(0)
    weights: Weights = {
        name: draw.normal(0, 0.2, tuple(n_vocab if n == -1 else n for n in shape)).astype("f4")
        for name, shape in form.shapes.items()
    }
    ours = write_copy(folder / "ours.gguf", keys, weights)
    form.back(keys, weights)
    for pattern, name in form.renames.items():
        weights = {re.sub(pattern, name, old): each for old, each in weights.items()}
    named = {
        re.sub(rf"^{re.escape(form.ours)}\.", f"{form.theirs}.", name): value
        for name, value in keys.items()
    }
    named["general.architecture"] = form.theirs
    return ours, write_copy(folder / "theirs.gguf", named, weights)


def _common(**more: Any) -> dict[str, Any]:
    return {
        "context_length": 128,
        "embedding_length": EMBD,
        "block_count": LAYERS,
        "feed_forward_length": FFN,
        "attention.head_count": HEADS,
        "attention.head_count_kv": 1,
        "attention.key_length": SIZE,
        "attention.value_length": SIZE,
        "attention.layer_norm_rms_epsilon": 1e-5,
        **{name.replace("__", "."): value for name, value in more.items()},
    }


def _ends(*, output: bool = True) -> Shapes:
    ends: Shapes = {"token_embd.weight": (-1, EMBD), "output_norm.weight": (EMBD,)}
    return ends | ({"output.weight": (-1, EMBD)} if output else {})


def _blocks(shapes: Shapes) -> Shapes:
    return {f"blk.{n}.{name}": shape for n in range(LAYERS) for name, shape in shapes.items()}


def _attention(kv_rows: int = SIZE) -> Shapes:
    return {
        "attn_norm.weight": (EMBD,),
        "attn_q.weight": (HEADS * SIZE, EMBD),
        "attn_k.weight": (kv_rows, EMBD),
        "attn_v.weight": (kv_rows, EMBD),
        "attn_output.weight": (EMBD, HEADS * SIZE),
    }


_NETWORK: Shapes = {
    "ffn_norm.weight": (EMBD,),
    "ffn_gate.weight": (FFN, EMBD),
    "ffn_up.weight": (FFN, EMBD),
    "ffn_down.weight": (EMBD, FFN),
}


def _without(*names: str) -> Callable[[Keys, Weights], None]:
    """Leave keys out, and one norm of all."""

    def back(keys: Keys, _: Weights) -> None:
        for name in names:
            del keys[name]

    return back


_GPT_OSS: Shapes = {
    **_attention(),
    "attn_q.bias": (HEADS * SIZE,),
    "attn_k.bias": (SIZE,),
    "attn_v.bias": (SIZE,),
    "attn_output.bias": (EMBD,),
    "attn_sinks.weight": (HEADS,),
    "post_attention_norm.weight": (EMBD,),
    "ffn_gate_inp.weight": (EXPERTS, EMBD),
    "ffn_gate_inp.bias": (EXPERTS,),
    "ffn_gate_exps.weight": (EXPERTS, FFN, EMBD),
    "ffn_gate_exps.bias": (EXPERTS, FFN),
    "ffn_up_exps.weight": (EXPERTS, FFN, EMBD),
    "ffn_up_exps.bias": (EXPERTS, FFN),
    "ffn_down_exps.weight": (EXPERTS, EMBD, FFN),
    "ffn_down_exps.bias": (EXPERTS, EMBD),
}

_GEMMA: Shapes = {
    **_attention(),
    **_NETWORK,
    "attn_q_norm.weight": (SIZE,),
    "attn_k_norm.weight": (SIZE,),
    "post_attention_norm.weight": (EMBD,),
    "post_ffw_norm.weight": (EMBD,),
}

_OLMO: Shapes = {
    **{name: shape for name, shape in (_attention() | _NETWORK).items() if "norm" not in name},
    "attn_q_norm.weight": (EMBD,),
    "attn_k_norm.weight": (SIZE,),
    "post_attention_norm.weight": (EMBD,),
    "post_ffw_norm.weight": (EMBD,),
}

_LATENT, _ROPE = 24, 8
_COMPRESSED: Shapes = {
    "attn_norm.weight": (EMBD,),
    "attn_q_a.weight": (_LATENT, EMBD),
    "attn_q_a_norm.weight": (_LATENT,),
    "attn_q_b.weight": (HEADS * SIZE, _LATENT),
    "attn_kv_a_mqa.weight": (_LATENT + _ROPE, EMBD),
    "attn_kv_a_norm.weight": (_LATENT,),
    "attn_k_b.weight": (HEADS, _LATENT, SIZE - _ROPE),
    "attn_v_b.weight": (HEADS, SIZE, _LATENT),
    "attn_output.weight": (EMBD, HEADS * SIZE),
    "ffn_norm.weight": (EMBD,),
}
_ONE_DENSE: Shapes = {
    **{f"blk.0.{name}": shape for name, shape in _NETWORK.items()},
    "blk.1.ffn_gate_inp.weight": (EXPERTS, EMBD),
    "blk.1.ffn_gate_exps.weight": (EXPERTS, 16, EMBD),
    "blk.1.ffn_up_exps.weight": (EXPERTS, 16, EMBD),
    "blk.1.ffn_down_exps.weight": (EXPERTS, EMBD, 16),
    "blk.1.ffn_gate_shexp.weight": (32, EMBD),
    "blk.1.ffn_up_shexp.weight": (32, EMBD),
    "blk.1.ffn_down_shexp.weight": (EMBD, 32),
}


def _flash(keys: Keys, _: Weights) -> None:
    """GLM-4.7-Flash tells the sizes of plain heads, and what ends a text in a list."""
    for name in ("expert_group_count", "expert_group_used_count"):
        del keys[f"deepseek2.{name}"]
    keys["deepseek2.attention.head_count_kv"] = HEADS
    for name in ("key", "value"):
        keys[f"deepseek2.attention.{name}_length"] = SIZE
        keys[f"deepseek2.attention.{name}_length_mla"] = _LATENT
    ends = [keys.pop(f"tokenizer.ggml.{name}_token_id") for name in ("eot", "eom")]
    keys["tokenizer.ggml.eos_token_ids"] = [2, *ends]
    keys["tokenizer.ggml.pre"] = "default"


def _embedding(keys: Keys, _: Weights) -> None:
    for name in [each for each in keys if ".dense_" in each]:
        del keys[name]
    del keys["gemma-embedding.rope.freq_base_swa"]
    keys["gemma-embedding.attention.causal"] = False


def _next(keys: Keys, _: Weights) -> None:
    keys["qwen3next.attention.head_count_kv"] = [0, 1]


_STATE, _GROUPS, _RANK = 8, 2, 4
_VALUES, _KEYS = _STATE * _RANK, _STATE * _GROUPS
_HYBRID_NETWORK: Shapes = {
    "attn_norm.weight": (EMBD,),
    "post_attention_norm.weight": (EMBD,),
    "ffn_gate.weight": (FFN, EMBD),
    "ffn_up.weight": (FFN, EMBD),
    "ffn_down.weight": (EMBD, FFN),
}
_HYBRID: Shapes = {
    **{f"blk.{block}.{name}": shape for block in (0, 1) for name, shape in _HYBRID_NETWORK.items()},
    "blk.0.attn_qkv.weight": (2 * _KEYS + _VALUES, EMBD),
    "blk.0.attn_gate.weight": (_VALUES, EMBD),
    "blk.0.ssm_conv1d.weight": (2 * _KEYS + _VALUES, 4),
    "blk.0.ssm_dt.bias": (_RANK,),
    "blk.0.ssm_a": (_RANK,),
    "blk.0.ssm_beta.weight": (_RANK, EMBD),
    "blk.0.ssm_alpha.weight": (_RANK, EMBD),
    "blk.0.ssm_norm.weight": (_STATE,),
    "blk.0.ssm_out.weight": (EMBD, _VALUES),
    "blk.1.attn_q.weight": (2 * HEADS * SIZE, EMBD),
    "blk.1.attn_k.weight": (SIZE, EMBD),
    "blk.1.attn_v.weight": (SIZE, EMBD),
    "blk.1.attn_output.weight": (EMBD, HEADS * SIZE),
    "blk.1.attn_q_norm.weight": (SIZE,),
    "blk.1.attn_k_norm.weight": (SIZE,),
}


_MAMBA_2: Shapes = {
    **{f"blk.{block}.attn_norm.weight": (EMBD,) for block in range(3)},
    "blk.0.ssm_in.weight": (2 * _VALUES + 2 * _KEYS + _RANK, EMBD),
    "blk.0.ssm_conv1d.weight": (_VALUES + 2 * _KEYS, 4),
    "blk.0.ssm_dt.bias": (_RANK,),
    "blk.0.ssm_a": (_RANK, 1),
    "blk.0.ssm_d": (_RANK, 1),
    "blk.0.ssm_norm.weight": (_GROUPS, _VALUES // _GROUPS),
    "blk.0.ssm_out.weight": (EMBD, _VALUES),
    **{f"blk.1.{name}": shape for name, shape in _attention().items()},
    "blk.2.ffn_up.weight": (FFN, EMBD),
    "blk.2.ffn_down.weight": (EMBD, FFN),
}


def _hybrid(keys: Keys, weights: Weights) -> None:
    """With a layer that guesses further tokens, which is left out."""
    keys["qwen35.attention.head_count_kv"] = [0, 1]
    keys["qwen35.rope.dimension_sections"] = keys["qwen35.rope.dimension_sections"][:3]
    keys["qwen35.nextn_predict_layers"] = 1
    keys["qwen35.block_count"] = LAYERS + 1
    weights["mtp.fc.weight"] = np.zeros((EMBD, 2 * EMBD), np.float32)


def _glm(keys: Keys, weights: Weights) -> None:
    keys["glm4.rope.mrope_section"] = keys.pop("glm4.rope.dimension_sections")[:3]
    del keys["glm4.rope.dimension_count"]
    for block in range(LAYERS):
        both = weights.pop(f"blk.{block}.ffn_up.weight")
        for part, name in zip(np.split(both, 2), ("gate", "up"), strict=True):
            weights[f"blk.{block}.ffn_{name}.weight"] = part


def _gemma4(keys: Keys, weights: Weights) -> None:
    keys["tokenizer.ggml.model"] = "llama"
    weights["v.patch_embd.weight"] = np.zeros((4, 4), np.float32)
    weights["a.blk.0.ln1.weight"] = np.zeros(4, np.float32)


def _mllama(keys: Keys, weights: Weights) -> None:
    """Between its two layers one that looks at images, and tokens that stand for these."""
    for name in [each for each in weights if each.startswith("blk.1.")]:
        weights[name.replace("blk.1.", "blk.2.")] = weights.pop(name)
    weights["blk.1.cross_attn_q_proj.weight"] = np.zeros((EMBD, EMBD), np.float32)
    weights["mm.0.weight"] = np.zeros((EMBD, EMBD), np.float32)
    more = np.zeros((8, EMBD), np.float32)
    weights["token_embd.weight"] = np.concatenate([weights["token_embd.weight"], more])
    keys["llama.block_count"] = LAYERS + 1
    keys["llama.attention.cross_attention_layers"] = [1]
    for name, value in (("tokens", "<|image|>"), ("scores", 0.0), ("token_type", 3)):
        keys[f"tokenizer.ggml.{name}"] = [*keys[f"tokenizer.ggml.{name}"], value]


RENAMED: Mapping[str, Renamed] = {
    "gpt-oss": Renamed(
        "gptoss",
        "gpt-oss",
        _common(
            attention__sliding_window=8,
            expert_count=EXPERTS,
            expert_used_count=2,
            expert_feed_forward_length=FFN,
            rope__scaling__type="yarn",
            rope__scaling__factor=4.0,
            rope__scaling__original_context_length=64,
        ),
        _ends() | _blocks(_GPT_OSS),
        _without(
            "gpt-oss.expert_feed_forward_length",
            "gpt-oss.rope.scaling.type",
            "tokenizer.ggml.pre",
        ),
        {
            r"\.attn_output\.": ".attn_out.",
            r"\.attn_sinks\.weight$": ".attn_sinks",
            r"\.post_attention_norm\.": ".ffn_norm.",
        },
        {"tokenizer.ggml.pre": "gpt-4o"},
    ),
    "olmo3": Renamed(
        "olmo3", "olmo2", _common(attention__sliding_window=8), _ends() | _blocks(_OLMO)
    ),
    "embeddinggemma": Renamed(
        "gemma3",
        "gemma-embedding",
        _common(
            attention__sliding_window=8,
            pooling_type=1,
            rope__freq_base=1e6,
            rope__freq_base_swa=1e4,
            dense_2_feat_in=EMBD,
            dense_2_feat_out=48,
            dense_3_feat_in=48,
            dense_3_feat_out=EMBD,
        ),
        _ends(output=False)
        | _blocks(_GEMMA)
        | {"dense_2.weight": (48, EMBD), "dense_3.weight": (EMBD, 48)},
        _embedding,
        {r"^dense_2\.": "dense.0.", r"^dense_3\.": "dense.1.", r"^output_norm\.": "norm."},
    ),
    "glm-4.7-flash": Renamed(
        "glm4moelite",
        "deepseek2",
        {
            **_common(
                leading_dense_block_count=1,
                expert_count=EXPERTS,
                expert_used_count=2,
                attention__q_lora_rank=_LATENT,
                attention__kv_lora_rank=_LATENT,
                attention__key_length_mla=SIZE,
                attention__value_length_mla=SIZE,
                rope__dimension_count=_ROPE,
                expert_feed_forward_length=16,
                expert_shared_count=2,
                expert_group_count=1,
                expert_group_used_count=1,
            ),
            "attention.key_length": _LATENT + _ROPE,
            "attention.value_length": _LATENT,
        },
        _ends() | _blocks(_COMPRESSED) | _ONE_DENSE,
        _flash,
        tokenizer={
            "tokenizer.ggml.pre": "glm4",
            "tokenizer.ggml.eot_token_id": 5,
            "tokenizer.ggml.eom_token_id": 6,
        },
    ),
    "qwen3.5": Renamed(
        "qwen35",
        "qwen35",
        _common(
            rope__dimension_sections=[3, 3, 2, 0],
            rope__dimension_count=SIZE,
            full_attention_interval=2,
            ssm__conv_kernel=4,
            ssm__inner_size=_VALUES,
            ssm__state_size=_STATE,
            ssm__time_step_rank=_RANK,
            ssm__group_count=_GROUPS,
        ),
        _ends() | _HYBRID,
        _hybrid,
        {r"\.ssm_dt\.bias$": ".ssm_dt"},
    ),
    "glm-ocr": Renamed(
        "glmocr",
        "glm4",
        _common(rope__dimension_sections=[2, 3, 3, 0], rope__dimension_count=SIZE),
        _ends()
        | _blocks(
            {
                **_attention(),
                "post_attention_norm.weight": (EMBD,),
                "ffn_norm.weight": (EMBD,),
                "ffn_up.weight": (2 * FFN, EMBD),
                "ffn_down.weight": (EMBD, FFN),
                "post_ffw_norm.weight": (EMBD,),
            }
        ),
        _glm,
        {
            r"\.attn_output\.": ".attn_out.",
            r"\.post_attention_norm\.": ".post_attn_norm.",
            r"\.post_ffw_norm\.": ".post_ffn_norm.",
        },
        {"tokenizer.ggml.pre": "chatglm-bpe"},
    ),
    "deepseek-ocr": Renamed(
        "deepseekocr",
        "deepseek2-ocr",
        {
            **_common(
                leading_dense_block_count=1,
                expert_count=EXPERTS,
                expert_used_count=2,
                expert_feed_forward_length=16,
                expert_shared_count=2,
            ),
            "attention.head_count_kv": HEADS,
            "attention.layer_norm_rms_epsilon": 1e-6,
        },
        _ends() | _blocks(_attention(EMBD)) | _blocks({"ffn_norm.weight": (EMBD,)}) | _ONE_DENSE,
        _without(
            "deepseek2-ocr.expert_feed_forward_length",
            "deepseek2-ocr.expert_shared_count",
            "deepseek2-ocr.attention.layer_norm_rms_epsilon",
        ),
    ),
    "nemotron-omni": Renamed(
        "nemotron_h_omni",
        "nemotron_h",
        {
            **_common(
                attention__layer_norm_epsilon=1e-5,
                ssm__conv_kernel=4,
                ssm__inner_size=_VALUES,
                ssm__state_size=_STATE,
                ssm__time_step_rank=_RANK,
                ssm__group_count=_GROUPS,
            ),
            "block_count": 3,
            "attention.head_count_kv": [0, 1, 0],
            "feed_forward_length": [0, 0, FFN],
        },
        _ends() | _MAMBA_2,
    ),
    "llama-3.2-vision": Renamed(
        "mllama",
        "llama",
        _common(vocab_size=504),
        _ends() | _blocks(_attention() | _NETWORK),
        _mllama,
    ),
    "gemma4": Renamed(
        "gemma4",
        "gemma4",
        _common(
            attention__sliding_window=8,
            attention__sliding_window_pattern=[True, False],
            attention__key_length_swa=SIZE,
            attention__value_length_swa=SIZE,
            embedding_length_per_layer_input=0,
            rope__dimension_count=SIZE,
            rope__dimension_count_swa=SIZE,
        ),
        _ends(output=False) | _blocks(_GEMMA) | {"rope_freqs.weight": (SIZE // 2,)},
        _gemma4,
        tokenizer={"tokenizer.ggml.model": "gemma4", "tokenizer.ggml.merges": ["a b"]},
    ),
}
