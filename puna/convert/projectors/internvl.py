"""InternVL's: a ViT with scaled branches over square tiles, neighbours side by side, a norm and two
matrices. Its makers' files and those of transformers have names of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import EncoderConfig, Pixels, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor, concat

_IMAGENET = Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_BLOCK = re.compile(r"(?:vision_tower|vision_model)\.encoder\.layers?\.(\d+)\.(.+)")
_PARTS: Mapping[str, str] = {
    "attention.q_proj": "attn_q",
    "attention.k_proj": "attn_k",
    "attention.v_proj": "attn_v",
    "attention.projection_layer": "attn_out",
    "attention.q_norm": "attn_q_norm",
    "attention.k_norm": "attn_k_norm",
    "attn.proj": "attn_out",
    "attn.q_norm": "attn_q_norm",
    "attn.k_norm": "attn_k_norm",
    "layernorm_before": "ln1",
    "layernorm_after": "ln2",
    "norm1": "ln1",
    "norm2": "ln2",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}
_SCALES = {"lambda_1": "ls1", "lambda_2": "ls2", "ls1": "ls1", "ls2": "ls2"}
_OUTSIDE: Mapping[str, str] = {
    "vision_tower.embeddings.patch_embeddings.projection.": "v.patch_embd.",
    "vision_model.embeddings.patch_embedding.": "v.patch_embd.",
    "multi_modal_projector.layer_norm.": "mm.model.mlp.0.",
    "multi_modal_projector.linear_1.": "mm.model.mlp.1.",
    "multi_modal_projector.linear_2.": "mm.model.mlp.3.",
    "mlp1.": "mm.model.mlp.",
}
_POSITIONS = ("embeddings.position_embeddings", "embeddings.position_embedding")
_CLASS = ("embeddings.cls_token", "embeddings.class_embedding")


def _one(value: object) -> object:
    """Height and width where both are said, which must be the same."""
    if isinstance(value, list) and value and all(side == value[0] for side in value):
        return value[0]
    return value


def _settings(own: Config) -> Config:
    values = {**own.text}
    for key in ("image_size", "patch_size"):
        values[key] = _one(values.get(key))
    return Config(values)


def _side(encoder: EncoderConfig) -> int:
    """Patches along a side of what becomes one token."""
    ratio = encoder.whole.real("downsample_ratio", 0.5)
    side = round(1 / ratio) if ratio > 0 else 0
    if side < 1 or encoder.n_patches % side:
        raise encoder.whole.bad("downsample_ratio", ratio, f"a part of {encoder.n_patches}")
    return side


def _keys(encoder: EncoderConfig) -> Keys:
    whole = Config(encoder.whole.top)
    if _is_normed(encoder) != (encoder.width == 3200 and encoder.own.n_layers == 45):
        raise encoder.own.bad(
            "use_qk_norm", encoder.own.get("use_qk_norm"), "as the engine knows it"
        )
    return {
        "vision.projector.scale_factor": _side(encoder),
        "vision.preproc_min_tiles": whole.whole("min_dynamic_patch", 0) or None,
        "vision.preproc_max_tiles": whole.whole("max_dynamic_patch", 0) or None,
    }


def _is_normed(encoder: EncoderConfig) -> bool:
    """Whether it is the large one, with norms of another kind."""
    rms = encoder.own.text_of("norm_type", "layer_norm") == "rms_norm"
    return rms or encoder.own.flag("use_qk_norm", encoder.own.flag("qk_normalization"))


def _shapes(encoder: EncoderConfig) -> Shapes:
    width, text = encoder.width, encoder.text_width
    wide = width * _side(encoder) ** 2
    biased = encoder.own.flag("attention_bias", encoder.own.flag("qkv_bias"))
    shapes = {
        **patch_shapes(encoder),
        "v.patch_embd.bias": (width,),
        "v.class_embd": (width,),
        "v.position_embd.weight": (encoder.n_patches**2 + 1, width),
        **block_shapes(encoder, norm_bias=not _is_normed(encoder)),
        **norm("mm.model.mlp.0", wide),
        **linear("mm.model.mlp.1", text, wide),
        **linear("mm.model.mlp.3", text, text),
    }
    for block in range(encoder.own.n_layers):
        for name in ("ls1", "ls2"):
            shapes[f"v.blk.{block}.{name}.weight"] = (width,)
        for name in ("attn_q_norm", "attn_k_norm") if _is_normed(encoder) else ():
            shapes[f"v.blk.{block}.{name}.weight"] = (width,)
        for name in () if biased else ("attn_q", "attn_k", "attn_v"):
            del shapes[f"v.blk.{block}.{name}.bias"]
    return shapes


def _weights(_encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if found := _BLOCK.fullmatch(name):
        yield from _of_block(f"v.blk.{found[1]}", found[2], tensor)
        return
    if name.endswith(_POSITIONS):
        # the engine puts the class behind the patches, and each place by its number
        rows = tensor.reshaped(-1, tensor.shape[-1])
        first, others = rows.split(1, rows.shape[0] - 1)
        name, tensor = "v.position_embd.weight", concat([others, first])
    elif name.endswith(_CLASS):
        name, tensor = "v.class_embd", tensor.reshaped(tensor.shape[-1])
    for theirs, ours in _OUTSIDE.items():
        if name.startswith(theirs):
            name = name.replace(theirs, ours, 1)
            break
    yield name, tensor


def _of_block(block: str, part: str, tensor: Tensor) -> Iterable[Named]:
    if part in _SCALES:
        yield f"{block}.{_SCALES[part]}.weight", tensor
        return
    stem, _, kind = part.rpartition(".")
    if stem == "attn.qkv":
        third = tensor.shape[0] // 3
        names = ("attn_q", "attn_k", "attn_v")
        for name, values in zip(names, tensor.split(third, third, third), strict=True):
            yield f"{block}.{name}.{kind}", values
    else:
        yield f"{block}.{_PARTS.get(stem, stem)}.{kind}", tensor


_INTERN = (Projector("internvl", _shapes, _keys, _weights, pixels=_IMAGENET, settings=_settings),)

PROJECTORS = {
    "InternVLForConditionalGeneration": _INTERN,
    "InternVLChatModel": _INTERN,
}
