"""Which projectors convert an architecture's encoder: every file of this folder with a table
PROJECTORS adds its own.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from puna.convert.projector import Projector

__all__ = ["projectors"]


@cache
def projectors() -> Mapping[str, tuple[Projector, ...]]:
    """Projectors by the names in `architectures`; of several the first that suits counts."""
    package = import_module("puna.convert.projectors")
    known: dict[str, tuple[Projector, ...]] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        table: Mapping[str, tuple[Projector, ...]]
        table = getattr(import_module(module.name), "PROJECTORS", {})
        for name, several in table.items():
            known[name] = (*known.get(name, ()), *several)
    return MappingProxyType(known)
