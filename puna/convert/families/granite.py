"""Granite: Llama with four scales, dense and with experts. Granite 4 and Bamba have Mamba 2
layers.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.families.mamba import hybrid_keys, need_doubled, state_space
from puna.convert.family import Family, Keys, Named, Value, in_block
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
    """Experts' gates and inputs stand in one tensor, gates first. What experts would share is the
    whole network where there are none.
    """
    shared = "_shexp" if config.whole("n_experts", 0) else ""
    kinds = {
        "block_sparse_moe.input_linear.weight": "_exps",
        "shared_mlp.input_linear.weight": shared,
    }
    for ending, kind in kinds.items():
        if name.endswith(ending):
            half = tensor.shape[-2] // 2
            yield in_block(name, f"ffn_gate{kind}.weight"), tensor.middle(0, half)
            yield in_block(name, f"ffn_up{kind}.weight"), tensor.middle(half, 2 * half)
            return
    if name.endswith("shared_mlp.output_linear.weight"):
        name = in_block(name, f"ffn_down{shared}.weight")
    yield name, tensor


def _attends(config: Config) -> list[bool]:
    """Which layers have attention; the others have a state."""
    if kinds := config.items("layer_types"):
        return [kind in ("attention", "full_attention") for kind in kinds]
    listed = config.items("attn_layer_indices")
    return [layer in listed for layer in range(config.n_layers)]


def _granite4(config: Config) -> Keys:
    """Of models without a state, dense or with experts."""
    keys: dict[str, Value | None] = {
        **_moe(config),
        "rope.scaling.finetuned": config.text_of("position_embedding_type") == "rope",
    }
    if not config.whole("n_experts", 0):
        keys["feed_forward_length"] = config.whole("shared_intermediate_size")
        keys["expert_shared_feed_forward_length"] = None
    return keys


def _heads(config: Config) -> list[int]:
    return [config.n_kv_heads if attends else 0 for attends in _attends(config)]


def _hybrid(config: Config) -> Keys:
    need_doubled(config)
    return {
        **_granite4(config),
        **hybrid_keys(config),
        "attention.head_count_kv": _heads(config),
    }


def _hybrid_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    for part, values in weights(config, name, tensor):
        yield state_space(part, values, config.whole("mamba_n_groups", 1))


def _without_state(config: Config) -> Family | None:
    """Models of this class may have attention in all layers: those are Granite as it was."""
    if not all(_attends(config)):
        return None
    name = "granitemoe" if config.whole("n_experts", 0) else "granite"
    return Family(name, _granite4, weights, unrotate=True)


def _rotated(config: Config) -> int:
    """How many values of a head of Bamba's turn: half of them where nothing is said."""
    return config.whole("attn_rotary_emb", 0) or (
        config.rotary_size
        if config.rope.has("partial_rotary_factor") or config.has("rotary_part")
        else config.head_size // 2
    )


def _bamba(config: Config) -> Keys:
    need_doubled(config)
    return {
        **hybrid_keys(config),
        "attention.head_count_kv": _heads(config),
        "rope.dimension_count": _rotated(config),
        "rope.scaling.finetuned": True,
    }


def _bamba_weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """Of heads that turn in part only that part goes from halves to neighbours."""
    size, half = config.head_size, _rotated(config) // 2
    if name.endswith(("q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias")):
        turned = [row + part for row in range(half) for part in (0, half)]
        order = turned + list(range(2 * half, size))
        heads = range(tensor.shape[0] // size)
        tensor = tensor.taken([head * size + row for head in heads for row in order])
    yield state_space(name, tensor, config.whole("mamba_n_groups", 1))


_MOE = Family("granitemoe", _moe, weights, unrotate=True)

FAMILIES = {
    "GraniteForCausalLM": Family("granite", scales, unrotate=True),
    "GraniteMoeForCausalLM": _MOE,
    "GraniteMoeSharedForCausalLM": _MOE,
    "GraniteMoeHybridForCausalLM": Family(
        "granitehybrid", _hybrid, _hybrid_weights, unrotate=True, final=_without_state
    ),
    "BambaForCausalLM": Family("granitehybrid", _bamba, _bamba_weights),
}
