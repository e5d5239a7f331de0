"""Those of Qwen2-VL and Qwen2.5-VL: images of any size, pairs of frames, four neighbours merged; in
2.5 most blocks look at a window.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Keys, Named
from puna.convert.projector import CLIP_PIXELS, EncoderConfig, Projector, Shapes
from puna.convert.projectors.layers import block_shapes, linear, norm, patch_shapes
from puna.convert.tensor import Tensor

__all__ = ["FRAMES", "MERGE", "frame"]

MERGE, FRAMES, _WINDOW = 2, 2, 112  # what the engine computes, and nothing else
_LEAST, _MOST = 3136, 12_845_056  # pixels, where no file says it
_IMAGE_SIZE = 560  # pixels; a number that must be there, for images of any size


def _keys(encoder: EncoderConfig) -> Keys:
    encoder.refuse("spatial_merge_size", MERGE)
    encoder.refuse("temporal_patch_size", FRAMES)
    return {"vision.spatial_merge_size": MERGE}


def _window_keys(encoder: EncoderConfig) -> Keys:
    """Every so many blocks one sees the whole image."""
    encoder.refuse("window_size", _WINDOW)
    whole = list(encoder.own.items("fullatt_block_indexes"))
    every = whole[0] + 1 if whole and type(whole[0]) is int else 0
    if every < 1 or whole != list(range(every - 1, encoder.own.n_layers, every)):
        raise encoder.own.bad("fullatt_block_indexes", whole or None, "every so many blocks")
    return {**_keys(encoder), "vision.n_wa_pattern": every}


def _around(encoder: EncoderConfig) -> Shapes:
    """What is before and after the blocks."""
    merged = encoder.width * MERGE**2
    return {
        **patch_shapes(encoder),
        **patch_shapes(encoder, "v.patch_embd.weight.1"),
        **linear("mm.0", merged, merged),
        **linear("mm.2", encoder.text_width, merged),
    }


def _qwen2(encoder: EncoderConfig) -> Shapes:
    return {**_around(encoder), **norm("v.post_ln", encoder.width), **block_shapes(encoder)}


def _qwen25(encoder: EncoderConfig) -> Shapes:
    last = norm("v.post_ln", encoder.width, bias=False)
    return {**_around(encoder), **last, **block_shapes(encoder, norm_bias=False, gate=True)}


def _exaone_keys(encoder: EncoderConfig) -> Keys:
    images = encoder.images
    size = images.part("size")
    return {
        **_window_keys(encoder),
        "use_silu": True,
        "vision.attention.head_count_kv": encoder.own.n_kv_heads,
        "vision.attention.layer_norm_epsilon": encoder.own.positive("rms_eps", 1e-6),
        "vision.image_min_pixels": images.whole("min_pixels", size.whole("shortest_edge", _LEAST)),
        "vision.image_max_pixels": images.whole("max_pixels", size.whole("longest_edge", _MOST)),
    }


def _exaone(encoder: EncoderConfig) -> Shapes:
    """Several queries go to one key."""
    last = norm("v.post_ln", encoder.width, bias=False)
    blocks = block_shapes(encoder, norm_bias=False, gate=True, fused=True)
    size = encoder.width // encoder.own.n_heads
    n_rows = encoder.width + 2 * size * encoder.own.n_kv_heads
    joined = {
        f"v.blk.{number}.attn_qkv.{kind}": shape
        for number in range(encoder.own.n_layers)
        for kind, shape in (("weight", (n_rows, encoder.width)), ("bias", (n_rows,)))
    }
    return {**_around(encoder), **last, **blocks, **joined}


def _exaone_weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if ".attn.qkv." in name:
        yield name, tensor
    else:
        yield from _weights(encoder, name, tensor)


def _weights(encoder: EncoderConfig, name: str, tensor: Tensor) -> Iterable[Named]:
    if ".attn.qkv." in name:
        width = encoder.width
        for letter, part in zip("qkv", tensor.split(width, width, width), strict=True):
            yield name.replace(".qkv.", f".{letter}."), part
    elif name.endswith("patch_embed.proj.weight"):
        yield "v.patch_embd.weight", frame(tensor, 0)
        yield "v.patch_embd.weight.1", frame(tensor, 1)
    else:
        yield name, tensor


def frame(tensor: Tensor, number: int) -> Tensor:
    """The convolution of one of two frames."""
    if len(tensor.shape) != 5 or tensor.shape[2] != FRAMES:
        raise tensor.bad(f"shape {list(tensor.shape)} is not a convolution of {FRAMES} frames")
    width, colours, _, height, length = tensor.shape
    return tensor.changed((width, colours, height, length), lambda values: values[:, :, number])


def _sized(own: Config) -> Config:
    return Config({"image_size": _IMAGE_SIZE, **own.top})


def _renamed(own: Config) -> Config:
    """Qwen2-VL calls the text model's width `hidden_size`."""
    width = own.whole("embed_dim")
    ffn = int(width * own.real("mlp_ratio", 4.0))
    return _sized(Config({**own.top, "hidden_size": width, "intermediate_size": ffn}))


_QWEN25 = (
    Projector(
        "qwen2.5vl_merger",
        _qwen25,
        _window_keys,
        _weights,
        pixels=CLIP_PIXELS,
        settings=_sized,
        drop=r"(?:^|\.)audio_tower\.|^(?:talker|token2wav)\.",
    ),
)

PROJECTORS = {
    "Exaone4_5_ForConditionalGeneration": (
        Projector(
            "exaone4_5",
            _exaone,
            _exaone_keys,
            _exaone_weights,
            pixels=CLIP_PIXELS,
            settings=_sized,
        ),
    ),
    "Qwen2_5OmniModel": _QWEN25,
    "Qwen2_5OmniForConditionalGeneration": _QWEN25,
    "Qwen2VLForConditionalGeneration": (
        Projector("qwen2vl_merger", _qwen2, _keys, _weights, pixels=CLIP_PIXELS, settings=_renamed),
    ),
    "Qwen2_5_VLForConditionalGeneration": _QWEN25,
}
