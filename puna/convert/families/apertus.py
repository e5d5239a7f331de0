"""Apertus: Llama with norms of queries and keys, and an activation that each layer has learnt."""

from __future__ import annotations

from collections.abc import Mapping

from puna.convert.config import Config
from puna.convert.family import Family, Keys, Value
from puna.convert.keys import llama3_factors
from puna.convert.kinds import as_float32
from puna.convert.tensor import Tensor

_PARTS = ("alpha_n", "alpha_p", "beta", "eps")


def _learnt(config: Config, weights: Mapping[str, Tensor]) -> Keys:
    """Four numbers of each layer's activation, which are tensors in the checkpoint."""
    keys: dict[str, Value | None] = {}
    for part in _PARTS:
        numbers = []
        for layer in range(config.n_layers):
            tensor = weights.get(f"model.layers.{layer}.mlp.act_fn.{part}")
            if tensor is None:
                raise config.bad(f"model.layers.{layer}.mlp.act_fn.{part}", None, "a tensor")
            numbers.append(float(as_float32(tensor.load(), tensor.kind).reshape(-1)[0]))
        keys[f"xielu.{part}"] = numbers
    return keys


FAMILIES = {
    "ApertusForCausalLM": Family("apertus", read=_learnt, more=llama3_factors, drop=r"\.act_fn\.")
}
