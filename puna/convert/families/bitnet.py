"""BitNet as 1bitLLM trained it: matrices of three values, and a norm before each last matrix."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from puna.convert.config import Config
from puna.convert.family import Family, Named
from puna.convert.kinds import Array, as_float32
from puna.convert.tensor import Tensor

_TERNARY = tuple(f"{stem}_proj.weight" for stem in ("q", "k", "v", "o", "gate", "up", "down"))


def _ternary(tensor: Tensor) -> Tensor:
    """The values that the model computes with: none, or the mean of all in size."""

    def three(values: Array) -> Array:
        whole = as_float32(values, tensor.kind)
        mean = max(float(np.abs(whole).mean(dtype=np.float64)), 1e-5)
        rounded: Array = np.clip(np.rint(whole / np.float32(mean)), -1, 1) * np.float32(mean)
        return rounded

    return tensor.changed(tensor.shape, three, "F32")


def _weights(_config: Config, name: str, tensor: Tensor) -> Iterable[Named]:
    yield name, _ternary(tensor) if name.endswith(_TERNARY) else tensor


FAMILIES = {"BitnetForCausalLM": Family("bitnet", weights=_weights, tied=True)}
