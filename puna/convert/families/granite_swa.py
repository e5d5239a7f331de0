"""Granite whose layers look back over a window, with sinks; dense and with experts."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.granite import scales, weights
from puna.convert.family import Family, Keys, Named, Value, in_block
from puna.convert.keys import window_pattern
from puna.convert.tensor import Tensor
from puna.errors import ConvertError


def _turned(config: Config) -> list[bool]:
    """Which layers rotate: those whose base is not 0."""
    bases = [float(base) for base in config.items("layer_rope_theta")]
    if set(bases) - {0.0, config.rope_base}:
        raise ConvertError("config.json: the engine rotates all layers by the same base")
    said = [bool(flag) for flag in config.items("no_rope_layers")]
    turned = [base > 0 for base in bases] or said or [True] * config.n_layers
    if len(turned) != config.n_layers:
        raise config.bad("layer_rope_theta", turned, "a number for each layer")
    return turned


def _keys(config: Config) -> Keys:
    kinds = config.items("layer_types")
    first_of_four = [layer % 4 != 0 for layer in range(config.n_layers)]
    keys: dict[str, Value | None] = {
        **scales(config),
        "attention.sliding_window": config.whole("window", 128),
        "attention.sliding_window_pattern": window_pattern(config, 4) if kinds else first_of_four,
        "attention.rope_pattern": _turned(config),
    }
    if shared := config.whole("shared_intermediate_size", 0):
        keys["expert_shared_feed_forward_length"] = shared
    return keys


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """What experts share stays in one tensor, gates first."""
    if name.endswith(".sinks"):
        yield in_block(name, "attn_sinks.weight"), tensor
    elif name.endswith("shared_mlp.input_linear.weight"):
        yield in_block(name, "ffn_up_shexp.weight"), tensor
    elif name.endswith("experts.gate_up_proj"):
        half = tensor.shape[-2] // 2
        yield in_block(name, "ffn_gate_exps.weight"), tensor.middle(0, half)
        yield in_block(name, "ffn_up_exps.weight"), tensor.middle(half, 2 * half)
    elif name.endswith("block_sparse_moe.router.weight"):
        yield in_block(name, "ffn_gate_inp.weight"), tensor
    elif name.endswith("experts.down_proj"):
        yield in_block(name, "ffn_down_exps.weight"), tensor
    else:
        yield from weights(config, name, tensor)


_SWA = Family("granite_swa", _keys, _weights, unrotate=True)

FAMILIES = {"GraniteSWAForCausalLM": _SWA, "GraniteMoeSWAForCausalLM": _SWA}
