"""Which family converts an architecture: every file of this folder with a table FAMILIES adds its
own.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from puna.convert.config import Config
from puna.convert.families.refused import reason_of
from puna.convert.family import Family
from puna.errors import UnsupportedArchitecture

__all__ = ["families", "family_of", "family_writing"]


@cache
def families() -> Mapping[str, Family]:
    """Every family by the names it has in `architectures`."""
    package = import_module("puna.convert.families")
    known: dict[str, Family] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        known |= getattr(import_module(module.name), "FAMILIES", {})
    return MappingProxyType(dict(sorted(known.items())))


def family_of(config: Config) -> Family:
    """The family that the configuration names. Raises UnsupportedArchitecture with the reason, or
    with the known ones.
    """
    name = config.architecture
    if name not in families():
        raise UnsupportedArchitecture(name, families(), reason_of(name))
    return families()[name]


def family_writing(architecture: str) -> Family:
    """The first family whose files bear this architecture: what an adapter's base was made by."""
    for family in families().values():
        if family.architecture == architecture:
            return family
    raise UnsupportedArchitecture(
        architecture, sorted({str(family.architecture) for family in families().values()})
    )
