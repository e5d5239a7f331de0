"""The SHA-256 name of a blob: parsed once, typed from there on. No path is built from a string."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from puna.errors import InvalidDigest

__all__ = ["Digest"]

_TEXT = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 in 64 lower-case hexadecimal digits. Anything else raises InvalidDigest."""

    hex: str

    def __post_init__(self) -> None:
        if _HEX.fullmatch(self.hex) is None:
            raise InvalidDigest(self.hex)

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:<hex>` or `sha256-<hex>`, in either case. Raises InvalidDigest."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise InvalidDigest(text)
        return cls(match[1].lower())

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of `data`."""
        return cls(hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def file_name(self) -> str:
        """The blob's name on disk: `sha256-<hex>`."""
        return f"sha256-{self.hex}"

    @property
    def short(self) -> str:
        """The first 12 digits, as people see them."""
        return self.hex[:12]
