"""Granite: Llama with four scales, dense and with experts."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named, in_block
from puna.convert.tensor import Tensor

__all__ = ["FAMILIES", "scales", "weights"]


def scales(config: Config) -> Keys:
    """The factors that Granite multiplies by."""
    names = {
        "attention.scale": "attention_multiplier",
        "embedding_scale": "embedding_multiplier",
        "residual_scale": "residual_multiplier",
        "logit_scale": "logits_scaling",
    }
    return {ours: config.real(theirs) for ours, theirs in names.items() if config.has(theirs)}


def _moe(config: Config) -> Keys:
    shared = config.whole("shared_intermediate_size", 0)
    return {**scales(config), "expert_shared_feed_forward_length": shared or None}


def weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Experts' gates and inputs stand in one tensor, gates first."""
    kinds = {
        "block_sparse_moe.input_linear.weight": "exps",
        "shared_mlp.input_linear.weight": "shexp",
    }
    for ending, kind in kinds.items():
        if name.endswith(ending):
            half = tensor.shape[-2] // 2
            yield in_block(name, f"ffn_gate_{kind}.weight"), tensor.middle(0, half)
            yield in_block(name, f"ffn_up_{kind}.weight"), tensor.middle(half, 2 * half)
            return
    yield name, tensor


_MOE = Family("granitemoe", _moe, weights, unrotate=True)

FAMILIES = {
    "GraniteForCausalLM": Family("granite", scales, unrotate=True),
    "GraniteMoeForCausalLM": _MOE,
    "GraniteMoeSharedForCausalLM": _MOE,
}
