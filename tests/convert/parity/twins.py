"""Makers' own files of models that transformers computes under another name: the same numbers, in
their names, orders and settings. Nothing here needs torch.

A model is built as its twin of transformers; what is converted is what its maker would have saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TWINS", "as_maker"]

Weights = dict[str, npt.NDArray[np.float32]]
Settings = dict[str, Any]


def as_maker(architecture: str, settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    """The configuration and the tensors as the maker of `architecture` has them."""
    settings, weights = TWINS[architecture](settings, weights)
    return {**settings, "architectures": [architecture]}, weights


def _only(settings: Settings, *names: str, **others: Any) -> Settings:
    return {name: settings[name] for name in names} | others


_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "bos_token_id",
    "eos_token_id",
    "tie_word_embeddings",
)
_LLAMA = (
    *_SIZES,
    "num_key_value_heads",
    "intermediate_size",
    "max_position_embeddings",
    "rms_norm_eps",
)


def _renamed(weights: Weights, names: Mapping[str, str]) -> Weights:
    """Parts of names replaced, in the order of the table."""
    changed: Weights = {}
    for name, values in weights.items():
        for theirs, makers in names.items():
            name = name.replace(theirs, makers)
        changed[name] = values
    return changed


def _packed(weights: Weights, target: str, sources: tuple[str, ...]) -> Weights:
    """Tensors of the same layer, one after the other in one."""
    changed = dict(weights)
    for name in weights:
        if sources[0] in name:
            parts = [changed.pop(name.replace(sources[0], part)) for part in sources]
            changed[name.replace(sources[0], target)] = np.concatenate(parts)
    return changed


_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


def _qwen(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    """It counts both halves of its network as the inner width."""
    names = {
        "model.embed_tokens": "transformer.wte",
        "model.layers.": "transformer.h.",
        "model.norm": "transformer.ln_f",
        "input_layernorm": "ln_1",
        "post_attention_layernorm": "ln_2",
        "self_attn.o_proj": "attn.c_proj",
        "mlp.up_proj": "mlp.w1",
        "mlp.gate_proj": "mlp.w2",
        "mlp.down_proj": "mlp.c_proj",
    }
    own = _only(
        settings,
        *_SIZES,
        intermediate_size=2 * settings["intermediate_size"],
        layer_norm_epsilon=settings["rms_norm_eps"],
        seq_length=settings["max_position_embeddings"],
        rotary_emb_base=10000,
        kv_channels=settings["hidden_size"] // settings["num_attention_heads"],
    )
    return own, _renamed(_packed(weights, "attn.c_attn", _QKV), names)


def _exaone(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    names = {
        "model.embed_tokens": "transformer.wte",
        "model.layers.": "transformer.h.",
        "model.norm": "transformer.ln_f",
        "input_layernorm": "ln_1",
        "post_attention_layernorm": "ln_2",
        "self_attn.o_proj": "attn.attention.out_proj",
        "self_attn.": "attn.attention.",
        "mlp.gate_proj": "mlp.c_fc_0",
        "mlp.up_proj": "mlp.c_fc_1",
        "mlp.down_proj": "mlp.c_proj",
    }
    own = _only(settings, *_LLAMA, layer_norm_epsilon=settings["rms_norm_eps"], rope_theta=10000)
    own["num_layers"] = own.pop("num_hidden_layers")
    del own["rms_norm_eps"]
    return own, _renamed(weights, names)


def _internlm2(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    """For each key its queries, itself and its value."""
    names = {
        "embed_tokens": "tok_embeddings",
        "lm_head": "output",
        "input_layernorm": "attention_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.o_proj": "attention.wo",
        "mlp.gate_proj": "feed_forward.w1",
        "mlp.up_proj": "feed_forward.w3",
        "mlp.down_proj": "feed_forward.w2",
    }
    n_kv, width = settings["num_key_value_heads"], settings["hidden_size"]
    each = settings["num_attention_heads"] // n_kv
    size = width // settings["num_attention_heads"]
    changed = dict(weights)
    for layer in range(settings["num_hidden_layers"]):
        stem = f"model.layers.{layer}."
        query, key, value = (changed.pop(f"{stem}{part}.weight") for part in _QKV)
        groups = (
            query.reshape(n_kv, each, size, width),
            key.reshape(n_kv, 1, size, width),
            value.reshape(n_kv, 1, size, width),
        )
        joined = np.concatenate(groups, axis=1).reshape(-1, width)
        changed[f"{stem}attention.wqkv.weight"] = joined
    return _only(settings, *_LLAMA, rope_theta=10000), _renamed(changed, names)


def _baichuan(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    own = _only(settings, *_LLAMA)
    del own["num_key_value_heads"]
    return own, _packed(weights, "self_attn.W_pack", _QKV)


def _minicpm(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    """It says in its own way by what embeddings, layers and logits are multiplied."""
    own = _only(
        settings,
        *_LLAMA,
        scale_emb=settings["embedding_multiplier"],
        scale_depth=settings["residual_multiplier"] * settings["num_hidden_layers"] ** 0.5,
        dim_model_base=settings["hidden_size"] / settings["logits_scaling"],
    )
    return own, weights


def _orion(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    """It calls the norms' smallest number as others do that of another kind of norm."""
    own = _only(settings, *_LLAMA[:-1], rms_norm_eps=settings["layer_norm_eps"], rope_theta=10000)
    return own, weights


def _ling2(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    names = {
        "model.embed_tokens": "model.word_embeddings",
        "self_attn.query_key_value": "attention.query_key_value",
        "self_attn.o_proj": "attention.dense",
        "self_attn.q_norm": "attention.query_layernorm",
        "self_attn.k_norm": "attention.key_layernorm",
        "mlp.gate.e_score_correction_bias": "mlp.gate.expert_bias",
    }
    own = _only(
        settings,
        *_LLAMA,
        "head_dim",
        "moe_intermediate_size",
        "num_experts_per_tok",
        "first_k_dense_replace",
        "n_group",
        "topk_group",
        "norm_topk_prob",
        "routed_scaling_factor",
        num_experts=settings["n_routed_experts"],
        num_shared_experts=settings["n_shared_experts"],
        score_function="sigmoid",
        partial_rotary_factor=0.5,
        rope_theta=10000,
    )
    apart = _experts_apart(_packed(weights, "self_attn.query_key_value", _QKV))
    return own, _renamed(apart, names)


def _experts_apart(weights: Weights) -> Weights:
    apart: Weights = {}
    for name, values in weights.items():
        if name.endswith("experts.gate_up_proj"):
            for part, both in zip(("gate_proj", "up_proj"), np.split(values, 2, 1), strict=True):
                for number, one in enumerate(both):
                    apart[name.replace("gate_up_proj", f"{number}.{part}.weight")] = one
        elif name.endswith("experts.down_proj"):
            for number, one in enumerate(values):
                apart[name.replace("down_proj", f"{number}.down_proj.weight")] = one
        else:
            apart[name] = values
    return apart


def _kormo(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    names = {
        "input_layernorm": "pre_attention_layernorm",
        "post_attention_layernorm": "pre_mlp_layernorm",
    }
    return _only(settings, *_LLAMA, rope_theta=10000), _renamed(weights, names)


def _chatglm(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    names = {
        "model.embed_tokens": "transformer.embedding.word_embeddings",
        "model.layers.": "transformer.encoder.layers.",
        "model.norm": "transformer.encoder.final_layernorm",
        "lm_head": "transformer.output_layer",
        "self_attn.o_proj": "self_attention.dense",
        "mlp.gate_up_proj": "mlp.dense_h_to_4h",
        "mlp.down_proj": "mlp.dense_4h_to_h",
    }
    own = {
        "num_layers": settings["num_hidden_layers"],
        "hidden_size": settings["hidden_size"],
        "ffn_hidden_size": settings["intermediate_size"],
        "kv_channels": settings["head_dim"],
        "num_attention_heads": settings["num_attention_heads"],
        "multi_query_attention": True,
        "multi_query_group_num": settings["num_key_value_heads"],
        "padded_vocab_size": settings["vocab_size"],
        "seq_length": settings["max_position_embeddings"],
        "layernorm_epsilon": settings["rms_norm_eps"],
        "rope_ratio": 1,
        "rmsnorm": True,
        "add_qkv_bias": True,
        "add_bias_linear": False,
    }
    packed = _packed(weights, "self_attention.query_key_value", _QKV)
    packed["transformer.rotary_pos_emb.inv_freq"] = np.ones(4, np.float32)
    return own, _renamed(packed, names)


_MINICPM_V = {"qwen2": 2.6, "llama": 4.0, "qwen3": 4.5}


def _minicpm_v(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    own, whole = _seeing("vpm.x.weight", "resampler.kv_proj.weight", prefix="llm.")(
        settings, weights
    )
    return {**own, "version": _MINICPM_V[settings["model_type"]]}, whole


def _omni(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    """The one that thinks, of a model that speaks, too."""
    names = {
        "model.language_model.": "model.",
        "model.visual.": "visual.",
        "model.audio_tower.": "audio_tower.",
    }
    whole = {f"thinker.{name}": values for name, values in _renamed(weights, names).items()}
    return {"thinker_config": settings, "model_type": "qwen2_5_omni"}, whole | {
        "talker.codec_head.weight": np.ones((4, 4), np.float32)
    }


def _seeing(
    *eyes: str, part: str = "", prefix: str = ""
) -> Callable[[Settings, Weights], tuple[Settings, Weights]]:
    """The text model within one that sees: its configuration in a part, its names behind a prefix,
    with matrices of what sees.
    """

    def as_maker(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
        whole = {f"{prefix}{name}": values for name, values in _experts_apart(weights).items()}
        whole |= {name: np.ones((4, 4), np.float32) for name in eyes}
        return {part: settings} if part else settings, whole

    return as_maker


def _pangu(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    return _only(settings, *_LLAMA, bias=True, rope_theta=10000), weights


def _as_llama(settings: Settings, weights: Weights) -> tuple[Settings, Weights]:
    return _only(settings, *_LLAMA, rope_theta=10000), weights


TWINS: Mapping[str, Callable[[Settings, Weights], tuple[Settings, Weights]]] = MappingProxyType(
    {
        "QWenLMHeadModel": _qwen,
        "ExaoneForCausalLM": _exaone,
        "InternLM2ForCausalLM": _internlm2,
        "InternLM3ForCausalLM": _as_llama,
        "BaichuanForCausalLM": _baichuan,
        "MiniCPMForCausalLM": _minicpm,
        "OrionForCausalLM": _orion,
        "XverseForCausalLM": _as_llama,
        "BailingMoeV2ForCausalLM": _ling2,
        "LlamaBidirectionalModel": _as_llama,
        "NemotronH_Nano_VL_V2": _seeing(
            "mlp1.1.weight", part="llm_config", prefix="language_model."
        ),
        "PanguEmbeddedForCausalLM": _pangu,
        "KORMoForCausalLM": _kormo,
        "MiniCPMV": _minicpm_v,
        "Qwen2_5OmniModel": _omni,
        "ChatGLMModel": _chatglm,
        "JinaEmbeddingsV5Model": _seeing(),
        "DotsOCRForCausalLM": _seeing("vision_tower.patch_embed.patchifier.proj.weight"),
        "Sarashina2VisionForCausalLM": _seeing(
            "visual.merger.mlp.0.weight", "norm.weight", part="text_config", prefix="llm."
        ),
        "Phi4ForCausalLMV": _seeing("model.mm_projector.0.weight"),
        "StepVLForConditionalGeneration": _seeing(
            "vision_model.conv1.weight", "vit_large_projector.weight", part="text_config"
        ),
        "KimiVLForConditionalGeneration": _seeing(
            "vision_tower.patch_embed.proj.weight", part="text_config", prefix="language_model."
        ),
        "YoutuVLForConditionalGeneration": _seeing("siglip2.x.weight", "merger.x.weight"),
    }
)
