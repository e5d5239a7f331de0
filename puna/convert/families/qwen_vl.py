"""The text side of Qwen's models that see: positions in several dimensions."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.tensor import Tensor

__all__ = ["FAMILIES", "packed_experts", "sections"]


def sections(config: Config, default: tuple[int, ...] = ()) -> list[int]:
    """How many of a head's rotations go by time, by height and by width; four numbers."""
    parts = [n for n in config.rope.items("mrope_section") if type(n) is int and n >= 0]
    return ([*(parts or default), 0, 0, 0, 0])[:4]


def _qwen2(config: Config) -> Keys:
    return {"rope.dimension_sections": sections(config)}


def _layers_seen(config: Config) -> int:
    """Layers that also get what the encoder computed in its middle."""
    return len(Config(config.top).part("vision_config").items("deepstack_visual_indexes"))


def _qwen3(config: Config) -> Keys:
    return {**_qwen2(config), "n_deepstack_layers": _layers_seen(config)}


def _qwen3_moe(config: Config) -> Keys:
    return {**_qwen3(config), "expert_feed_forward_length": config.whole("expert_ffn")}


def packed_experts(name: str, tensor: Tensor) -> Iterable[Named]:
    """Experts side by side, gates before inputs."""
    half = tensor.shape[-2] // 2
    stem = name.removesuffix(".weight").removesuffix("gate_up_proj")
    yield f"{stem}gate_proj.weight", tensor.middle(0, half)
    yield f"{stem}up_proj.weight", tensor.middle(half, 2 * half)


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """The original's experts have their inputs first."""
    plain = name.removesuffix(".weight")
    is_turned = tensor.shape[-2:-1] == (config.whole("width"),)
    if plain.endswith("experts.gate_up_proj"):
        yield from packed_experts(name, tensor.transposed() if is_turned else tensor)
    elif plain.endswith("experts.down_proj") and len(tensor.shape) == 3:
        is_turned = tensor.shape[-1] == config.whole("width")
        yield f"{plain}.weight", tensor.transposed() if is_turned else tensor
    else:
        yield name, tensor


_QWEN2 = Family("qwen2vl", _qwen2)

_SPEECH = r"^(?:talker|token2wav|code2wav)\."
_OMNI = Family("qwen2vl", _qwen2, drop=_SPEECH)


def _hearing(config: Config) -> Keys:
    """What it sees it would see in several layers, for which what it hears has no place."""
    return {**_qwen3_moe(config), "n_deepstack_layers": 0}


FAMILIES = {
    "Qwen2_5OmniModel": _OMNI,
    "Qwen2_5OmniForConditionalGeneration": _OMNI,
    "Qwen3OmniMoeForConditionalGeneration": Family("qwen3vlmoe", _hearing, _weights, drop=_SPEECH),
    "Qwen3ASRForConditionalGeneration": Family("qwen3"),
    "Qwen2VLModel": Family("qwen2vl", _qwen2, prefix="model."),
    "Qwen2VLForConditionalGeneration": _QWEN2,
    "Qwen2_5_VLForConditionalGeneration": _QWEN2,
    "Qwen3VLForConditionalGeneration": Family("qwen3vl", _qwen3),
    "Qwen3VLMoeForConditionalGeneration": Family("qwen3vlmoe", _qwen3_moe, _weights),
}
