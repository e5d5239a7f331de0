"""How tables are written: many short texts in one long one."""

from __future__ import annotations

__all__ = ["listed", "paired", "spaced"]


def spaced(text: str) -> tuple[str, ...]:
    """Words parted by white space."""
    return tuple(text.split())


def listed(text: str) -> tuple[str, ...]:
    """Phrases parted by commas."""
    return tuple(part.strip() for part in text.split(","))


def paired(text: str) -> dict[str, str]:
    """`left=right` parted by commas."""
    halves = (part.partition("=") for part in text.split(","))
    return {left.strip(): right.strip() for left, _, right in halves}
