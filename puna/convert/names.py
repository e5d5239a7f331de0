"""The names that tensors have in GGUF, by those that makers give them.

The `gguf` package has the table. Its last release is older than the engine: an architecture that it
does not know takes the names of those that are built alike, and any of GGUF's own names.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import gguf

from puna.errors import ConvertError

__all__ = ["LIKE", "tensor_names"]

LIKE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cohere2moe": ("cohere2",),
        "deepseek32": ("deepseek2",),
        "granite_swa": ("granite", "granitemoe"),
        "hy_v3": ("qwen3", "qwen3moe"),
        "laguna": ("qwen3", "qwen3moe"),
        "mellum": ("qwen3moe",),
        "nanbeige": ("llama",),
    }
)
"""Architectures of the engine that the package does not know, and by whose names they go."""

_OUTSIDE = re.compile(
    r"(rope_freqs|rope_factors_(long|short)|dense_2|blk\.\d+\.time_mix_lerp_fused)\.weight"
)
_SUFFIXES = (".weight", ".bias")


class _Names(gguf.TensorNameMap):  # type: ignore[misc]
    """The package's table. Its constructor writes into the class for some architectures: not into
    ours.
    """

    def __init__(self, architecture: gguf.MODEL_ARCH, n_blocks: int) -> None:
        self.block_mappings_cfg = copy.deepcopy(gguf.TensorNameMap.block_mappings_cfg)
        super().__init__(architecture, n_blocks)


def tensor_names(architecture: str, n_blocks: int) -> Callable[[str], str | None]:
    """What a maker's name becomes; None where the architecture has no place for it.

    Raises ConvertError for an architecture that is not known.
    """
    tables = [
        _Names(_architecture(name), n_blocks) for name in LIKE.get(architecture, (architecture,))
    ]
    own = _every_name(n_blocks) if architecture in LIKE else frozenset()

    def find(name: str) -> str | None:
        stem = name.removesuffix(".weight").removesuffix(".bias")
        if _OUTSIDE.fullmatch(name) or stem in own:
            return name
        for table in tables:
            if found := table.get_name(name, _SUFFIXES):
                return str(found)
        return None

    return find


def _every_name(n_blocks: int) -> frozenset[str]:
    return frozenset(
        name.replace("{bid}", str(block))
        for name in gguf.TENSOR_NAMES.values()
        for block in (range(n_blocks) if name.startswith("blk.") else (0,))
    )


def _architecture(name: str) -> gguf.MODEL_ARCH:
    for number, known in gguf.MODEL_ARCH_NAMES.items():
        if known == name:
            return number
    raise ConvertError(f"unknown architecture {name}")
