"""Falcon-H1: attention and Mamba 2 side by side in every layer, with many fixed factors.

The engine knows none of the factors: they go into the weights (conversion spec, section 6.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from puna.convert.config import Config
from puna.convert.families.mamba import hybrid_keys, state_space
from puna.convert.family import Family, Keys, Named
from puna.convert.tensor import Tensor, concat
from puna.errors import ConvertError


def _keys(config: Config) -> Keys:
    if config.flag("mamba_rms_norm") and config.flag("mamba_norm_before_gate", True):
        raise ConvertError("config.json: 'mamba_norm_before_gate' is not supported")
    return hybrid_keys(config)


def _factors(config: Config, key: str, n: int) -> Sequence[float]:
    factors = config.items(key) or [1.0] * n
    if len(factors) != n or not all(type(factor) in (int, float) for factor in factors):
        raise config.bad(key, factors, f"{n} numbers")
    return factors


def _factor(config: Config, name: str) -> tuple[float, float]:
    """What a projection's input and its output are multiplied by."""
    ours = [config.real(f"attention_{side}_multiplier", 1.0) for side in ("in", "out")]
    gate, down = _factors(config, "mlp_multipliers", 2)
    known = {
        "self_attn.q_proj": (ours[0], 1.0),
        "self_attn.k_proj": (ours[0], config.real("key_multiplier", 1.0)),
        "self_attn.v_proj": (ours[0], 1.0),
        "self_attn.o_proj": (1.0, ours[1]),
        "feed_forward.gate_proj": (1.0, gate),
        "feed_forward.down_proj": (1.0, down),
        "mamba.out_proj": (1.0, config.real("ssm_out_multiplier", 1.0)),
        "embed_tokens": (1.0, config.real("embedding_multiplier", 1.0)),
        "lm_head": (1.0, config.real("lm_head_multiplier", 1.0)),
    }
    stem = name.rsplit(".", 1)[0]
    return next((pair for part, pair in known.items() if stem.endswith(part)), (1.0, 1.0))


def _states(config: Config, tensor: Tensor) -> Tensor:
    """Gates, inputs, two kinds of state vectors and time steps: a factor for each."""
    keys = hybrid_keys(config)
    inner, heads = int(str(keys["ssm.inner_size"])), config.whole("mamba_n_heads")
    vectors = config.whole("mamba_n_groups", 1) * config.whole("mamba_d_state")
    parts = tensor.split(inner, inner, vectors, vectors, heads)
    factors = _factors(config, "ssm_multipliers", len(parts))
    return concat([part.times(factor) for part, factor in zip(parts, factors, strict=True)])


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    if name.endswith("mamba.in_proj.weight"):
        tensor = _states(config, tensor).times(config.real("ssm_in_multiplier", 1.0))
    before, after = _factor(config, name)
    factor = after if name.endswith(".bias") else before * after
    scaled = tensor if factor == 1.0 else tensor.times(factor)
    yield state_space(name, scaled, config.whole("mamba_n_groups", 1))
    if name.endswith("embed_tokens.weight") and config.flag("tie_word_embeddings"):
        head = config.real("lm_head_multiplier", 1.0)
        if head != factor:
            yield "output.weight", tensor.times(head)


FAMILIES = {"FalconH1ForCausalLM": Family("falcon-h1", _keys, _weights)}
