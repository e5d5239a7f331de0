"""What weights can be quantised to: the names, as a table.

Facts: conversion spec, section 12.1; models spec, section 16.1.
"""

from __future__ import annotations

from types import MappingProxyType

from puna.errors import QuantError

__all__ = ["FOUR_BITS", "LEVELS", "SOURCES", "check_matrix", "needs_matrix", "parse_level"]

_REFERENCE = ("F32", "F16", "Q4_K_S", "Q4_K_M", "Q8_0")
"""Those that the reference names in its error, in its order."""

LEVELS = (
    *_REFERENCE,
    *("BF16", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_1", "Q4_0"),
    *("Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "Q2_K_S", "Q2_0", "Q1_0"),
    *("IQ4_NL", "IQ4_XS", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS"),
    *("IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"),
    *("TQ2_0", "TQ1_0", "MXFP4_MOE"),
)
FOUR_BITS = frozenset({"Q4_K_S", "Q4_K_M"})
SOURCES = frozenset({"F32", "F16", "BF16"})

_SYNONYMS = MappingProxyType({"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"})

_NEEDY = frozenset(
    ("Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")
)
"""Types that are of no use unless it is known which weights matter; the engine refuses them."""


def parse_level(text: str) -> str:
    """The canonical name of what is asked for. Raises QuantError."""
    level = _SYNONYMS.get(text.upper(), text.upper())
    if level not in LEVELS:
        raise QuantError(
            f"unsupported quantization type {text.upper()[:64]} - "
            f"supported types are {', '.join(LEVELS)}"
        )
    return level


def needs_matrix(level: str) -> bool:
    """Whether this level cannot be made without an importance matrix."""
    return level in _NEEDY


def check_matrix(level: str, *, has_matrix: bool) -> None:
    """Raise QuantError where the level needs an importance matrix and there is none."""
    if needs_matrix(level) and not has_matrix:
        raise QuantError(
            f"quantizing to {level} needs an importance matrix: give one with --imatrix FILE"
        )
