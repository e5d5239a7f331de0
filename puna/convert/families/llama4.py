"""Llama 4, and Mistral 3 with it: attention that grows sharper with the position."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.registry import families
from puna.convert.family import Family, Keys, Named
from puna.convert.keys import llama3_factors
from puna.convert.tensor import Tensor


def _llama4(config: Config) -> Keys:
    every = all(kind == "full_attention" for kind in config.items("layer_types"))
    has_kinds = bool(config.items("layer_types"))
    return {
        "feed_forward_length": config.whole("intermediate_size_mlp"),
        "expert_feed_forward_length": config.whole("intermediate_size"),
        "interleave_moe_layer_step": config.whole("interleave_moe_layer_step", 1),
        "attention.sliding_window": 0 if has_kinds and every else None,
    }


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Experts stand side by side, their inputs first, gates before inputs."""
    if name.endswith("experts.gate_up_proj"):
        turned = tensor.transposed()
        half = turned.shape[-2] // 2
        stem = name.removesuffix("gate_up_proj")
        yield f"{stem}gate_proj.weight", turned.middle(0, half)
        yield f"{stem}up_proj.weight", turned.middle(half, 2 * half)
    elif name.endswith("experts.down_proj"):
        yield f"{name}.weight", tensor.transposed()
    else:
        yield name, tensor


def _mistral3(config: Config) -> Keys:
    rope = config.rope
    keys: dict[str, float] = {}
    if rope.has("mscale_all_dim"):
        keys["rope.scaling.yarn_log_multiplier"] = rope.real("mscale_all_dim")
    if rope.has("llama_4_scaling_beta"):
        keys["attention.temperature_scale"] = rope.real("llama_4_scaling_beta")
    return keys


def _text(config: Config) -> Family | None:
    """Mistral 3 sees with other text models, too."""
    kind = config.part("text_config").text_of("model_type")
    return families()["Mistral4ForCausalLM"] if kind == "mistral4" else None


_LLAMA4 = Family("llama4", _llama4, _weights, more=llama3_factors)
_MISTRAL3 = Family("mistral3", _mistral3, unrotate=True)

FAMILIES = {
    "Llama4ForCausalLM": _LLAMA4,
    "Llama4ForConditionalGeneration": _LLAMA4,
    "Ministral3ForCausalLM": _MISTRAL3,
    "Mistral3ForConditionalGeneration": Family("mistral3", _mistral3, unrotate=True, final=_text),
}
