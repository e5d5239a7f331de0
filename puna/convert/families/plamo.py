"""PLaMo: attention and network side by side; keys take turns among the queries."""

from __future__ import annotations

from collections.abc import Iterable

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Named
from puna.convert.tensor import Tensor

_CONTEXT = 4096  # it says nothing of its own


def _n_kv_heads(config: Config) -> int:
    """It says how many heads share a key; what it calls key heads beside that is something else."""
    if not config.has("n_shared_head"):
        return config.n_kv_heads
    return max(config.n_heads // max(config.whole("n_shared_head"), 1), 1)


def _keys(config: Config) -> Keys:
    return {
        "context_length": config.whole("context", _CONTEXT),
        "attention.head_count_kv": _n_kv_heads(config),
    }


def _weights(config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    """The engine wants the queries of a key side by side."""
    n_kv = _n_kv_heads(config)
    groups = (config.n_heads // n_kv, n_kv, config.head_size)
    if name.endswith("q_proj.weight"):
        tensor = tensor.regrouped(groups, (1, 0, 2))
    elif name.endswith("o_proj.weight"):
        tensor = tensor.transposed().regrouped(groups, (1, 0, 2)).transposed()
    yield name, tensor


FAMILIES = {"PlamoForCausalLM": Family("plamo", _keys, _weights)}
