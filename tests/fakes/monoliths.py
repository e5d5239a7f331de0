"""Models whose one file holds the encoder too, as the reference's own library has them: made of the
two files that the engine reads, by the names that the reference's converter writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

__all__ = ["FORMS", "Form", "name_pre", "read_gguf", "round_eye", "write_copy", "write_monolith"]

_BYTES = {"weight": gguf.GGMLQuantizationType.MXFP4, "bias": gguf.GGMLQuantizationType.BF16}

Weights = dict[str, NDArray[Any]]
Keys = dict[str, Any]

_CLIP = (
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_epsilon",
    "image_size",
    "patch_size",
)


@dataclass(frozen=True)
class Form:
    """How one architecture is written.

    `names` turn the engine's names of the encoder's tensors into the reference's, by regular
    expressions. `text` and `eye` change keys and tensors of either file first. `keys` are those of
    the encoder that are left out, under names without the architecture.
    """

    architecture: str
    names: Mapping[str, str]
    text: Callable[[Keys, Weights], None] = lambda keys, weights: None
    eye: Callable[[Keys, Weights], None] = lambda keys, weights: None
    halves: tuple[str, ...] = ()
    """The encoder's tensors that the reference keeps as F16 and the engine wants as F32."""
    pre: str = ""
    """How the engine cuts texts of this architecture, whatever the file says."""
    absent: tuple[str, ...] = ()
    """Keys of the encoder's that are not written."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Keys without the architecture's name."""


def read_gguf(path: Path) -> tuple[Keys, Weights]:
    """All keys, and tensors in the order of the file, slowest dimension first."""
    reader = gguf.GGUFReader(path)
    keys = {
        name: each.contents() for name, each in reader.fields.items() if not name.startswith("GGUF")
    }
    return keys, {each.name: each.data.copy() for each in reader.tensors}


def write_copy(path: Path, keys: Keys, weights: Weights) -> Path:
    """Write keys and tensors: floats as F32, whole numbers as U32, lists of them as I32; bytes are
    MXFP4 where they are weights, BF16 where they are biases.
    """
    writer = gguf.GGUFWriter(path, keys["general.architecture"])
    for name, value in keys.items():
        if name != "general.architecture":
            _add(writer, name, value)
    for name, values in weights.items():
        kind = _BYTES.get(name.rpartition(".")[2]) if values.dtype == np.uint8 else None
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: gguf.GGUFWriter, name: str, value: Any) -> None:
    match value:
        case bool():
            writer.add_bool(name, value)
        case int():
            writer.add_uint32(name, value)
        case float():
            writer.add_float32(name, value)
        case str():
            writer.add_string(name, value)
        case _:
            writer.add_array(name, value)


def name_pre(text: Path, form: Form) -> Path:
    """The text model's file again, with texts cut as all of the form are."""
    if form.pre:
        keys, weights = read_gguf(text)
        text.unlink()
        write_copy(text, keys | {"tokenizer.ggml.pre": form.pre}, weights)
    return text


def round_eye(eye: Path, form: Form) -> Path:
    """The encoder's file again, with values that F16 holds where the form has F16."""
    keys, weights = read_gguf(eye)
    for name in form.halves:
        if name in weights:
            weights[name] = weights[name].astype(np.float16).astype(np.float32)
    eye.unlink()
    return write_copy(eye, keys, weights)


def write_monolith(path: Path, text: Path, eye: Path, form: Form) -> Path:
    """Both files as one."""
    keys, weights = read_gguf(text)
    before = keys["general.architecture"]
    eye_keys, eye_weights = read_gguf(eye)
    for name in form.halves:
        if name in eye_weights:
            eye_weights[name] = eye_weights[name].astype(np.float16)
    form.eye(eye_keys, eye_weights)
    for name in _CLIP:
        if name not in form.absent:
            keys[f"{before}.vision.{name}"] = eye_keys[f"clip.vision.{name}"]
    keys |= {f"{before}.{name}": value for name, value in form.more.items()}
    form.text(keys, weights)
    for pattern, name in form.names.items():
        eye_weights = {re.sub(pattern, name, old): each for old, each in eye_weights.items()}
    renamed = {
        f"{form.architecture}.{name.removeprefix(f'{before}.')}"
        if name.startswith(f"{before}.")
        else name: value
        for name, value in keys.items()
    }
    renamed["general.architecture"] = form.architecture
    return write_copy(path, renamed, weights | eye_weights)


def _gemma3(keys: Keys, _: Weights) -> None:
    """One token more than there are embeddings, as all sizes that see have it."""
    for ours, theirs in (("freq_base", "global.freq_base"), ("freq_base_swa", "local.freq_base")):
        if f"gemma3.rope.{ours}" in keys:
            keys[f"gemma3.rope.{theirs}"] = keys.pop(f"gemma3.rope.{ours}")
    keys["tokenizer.ggml.tokens"] = [*keys["tokenizer.ggml.tokens"], "<image_soft_token>"]
    keys["tokenizer.ggml.token_type"] = [*keys["tokenizer.ggml.token_type"], 3]
    if "tokenizer.ggml.scores" in keys:
        keys["tokenizer.ggml.scores"] = [*keys["tokenizer.ggml.scores"], 0.0]


def _qwen25(keys: Keys, _: Weights) -> None:
    keys["qwen2vl.rope.mrope_section"] = keys.pop("qwen2vl.rope.dimension_sections")[:3]


def _mistral3(keys: Keys, _: Weights) -> None:
    """Positions that are not scaled have a kind without a name."""
    scaling = {"type": "", "factor": 0.0, "yarn_beta_fast": 0.0, "yarn_beta_slow": 0.0}
    keys |= {f"mistral3.rope.scaling.{name}": value for name, value in scaling.items()}


def _pixtral(keys: Keys, weights: Weights) -> None:
    """Heads rotate halves; the row between rows is only in the text model."""
    del weights["v.token_embd.img_break"]
    n_heads = keys["clip.vision.attention.head_count"]
    for name, values in weights.items():
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            pairs = values.reshape(n_heads, -1, 2, values.shape[1])
            weights[name] = pairs.swapaxes(1, 2).reshape(values.shape)


def _qwen3(keys: Keys, _: Weights) -> None:
    """What the engine must know of the text model is left out, but for one of them."""
    keys.pop("qwen3vl.n_deepstack_layers", None)
    keys["qwen3vl.rope.mrope_section"] = keys.pop("qwen3vl.rope.dimension_sections")[:3]


def _apart(keys: Keys, weights: Weights) -> None:
    """Queries, keys and values apart, and the two frames of the convolution in one tensor."""
    for name in [each for each in weights if ".attn_qkv." in each]:
        for letter, part in zip("qkv", np.split(weights.pop(name), 3), strict=True):
            weights[name.replace("attn_qkv", f"attn_{letter}")] = part
    frames = [weights.pop(f"v.patch_embd.weight{end}") for end in ("", ".1")]
    both = np.stack(frames, 2)
    weights["v.patch_embd.weight"] = both.reshape(-1, *both.shape[2:])


def _lfm2(keys: Keys, weights: Weights) -> None:
    weights["output_norm.weight"] = weights.pop("token_embd_norm.weight")
    keys["lfm2.feed_forward_length"] = 12288


FORMS: Mapping[str, Form] = {
    "gemma3": Form(
        "gemma3",
        {
            r"^v\.patch_embd": "v.patch_embedding",
            r"^v\.position_embd": "v.position_embedding",
            r"^v\.post_ln": "v.post_layernorm",
            r"\.ln([12])\.": r".layer_norm\1.",
            r"\.attn_out\.": ".attn_output.",
            r"\.ffn_up\.": ".mlp.fc1.",
            r"\.ffn_down\.": ".mlp.fc2.",
            r"^mm\.input_projection": "mm.mm_input_projection",
            r"^mm\.soft_emb_norm": "mm.mm_soft_emb_norm",
        },
        _gemma3,
        halves=("v.patch_embd.weight", "v.position_embd.weight"),
        more={"mm.tokens_per_image": 4, "vision.num_channels": 3},
    ),
    "qwen25vl": Form(
        "qwen25vl",
        {
            r"^v\.post_ln\.": "v.merger.ln_q.",
            r"^mm\.([02])\.": r"v.merger.mlp.\1.",
            r"^v\.patch_embd\.weight$": "v.patch_embd_0.weight",
            r"^v\.patch_embd\.weight\.1$": "v.patch_embd_1.weight",
        },
        _qwen25,
        halves=("v.patch_embd.weight", "v.patch_embd.weight.1"),
        absent=("image_size", "feed_forward_length"),
        more={"vision.fullatt_block_indexes": [1], "vision.spatial_merge_size": 2},
    ),
    "mistral3": Form(
        "mistral3",
        {
            r"^v\.patch_embd\.": "v.patch_conv.",
            r"^v\.pre_ln\.": "v.encoder_norm.",
            r"\.attn_out\.": ".attn_output.",
            r"\.ln1\.": ".attn_norm.",
            r"\.ln2\.": ".ffn_norm.",
            r"^mm\.([12])\.": r"mm.linear_\1.",
            r"^mm\.input_norm\.": "mm.norm.",
            r"^mm\.patch_merger\.": "mm.patch_merger.merging_layer.",
        },
        _mistral3,
        _pixtral,
        halves=("v.patch_embd.weight",),
        absent=("attention.layer_norm_epsilon",),
        more={"spatial_merge_size": 2},
    ),
    "llama4": Form(
        "llama4",
        {
            r"^mm\.model\.mlp\.([12])\.": r"v.vision_adapter.mlp.fc\1.",
            r"^mm\.model\.fc\.": "mm.linear_1.",
            r"^v\.position_embd\.weight$": "v.positional_embedding_vlm",
            r"^v\.class_embd$": "v.class_embedding",
            r"^v\.(post|pre)_ln\.": r"v.layernorm_\1.",
            r"^v\.patch_embd\.": "v.patch_embedding.",
            r"\.attn_out\.": ".attn_output.",
            r"\.ln1\.": ".attn_norm.",
            r"\.ln2\.": ".ffn_norm.",
            r"\.ffn_up\.": ".mlp.fc1.",
            r"\.ffn_down\.": ".mlp.fc2.",
        },
        halves=("v.position_embd.weight",),
        absent=("attention.layer_norm_epsilon",),
        more={"vision.layer_norm_epsilon": 1e-5, "vision.pixel_shuffle_ratio": 0.5},
    ),
    "qwen3vl": Form(
        "qwen3vl",
        {
            r"^v\.position_embd\.": "v.pos_embed.",
            r"^v\.patch_embd\.": "v.patch_embed.",
            r"^v\.post_ln\.": "v.merger.norm.",
            r"^mm\.0\.": "v.merger.linear_fc1.",
            r"^mm\.2\.": "v.merger.linear_fc2.",
            r"\.ln([12])\.": r".norm\1.",
            r"\.ffn_up\.": ".mlp.linear_fc1.",
            r"\.ffn_down\.": ".mlp.linear_fc2.",
            r"^v\.deepstack\.1\.norm\.": "v.deepstack_merger.0.norm.",
            r"^v\.deepstack\.1\.fc([12])\.": r"v.deepstack_merger.0.linear_fc\1.",
        },
        _qwen3,
        _apart,
        halves=("v.patch_embd.weight", "v.patch_embd.weight.1", "v.position_embd.weight"),
        absent=("image_size", "feed_forward_length"),
        more={
            "vision.deepstack_visual_indexes": [1],
            "vision.num_channels": 3,
            "vision.spatial_merge_size": 2,
        },
    ),
    "lfm2": Form(
        "lfm2",
        {r"^mm\.input_norm\.": "mm.layer_norm."},
        _lfm2,
        pre="lfm2",
        halves=("v.patch_embd.weight", "v.position_embd.weight"),
        more={"vision.projector.scale_factor": 2},
    ),
}
