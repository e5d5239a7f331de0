"""What the engine has allocated, as its log tells: buffers by device and purpose. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

__all__ = ["Buffers", "Sizes"]

_BUFFER = re.compile(r"([\w.]+)\s+(\w+(?: \w+)*) buffer size\s*=\s*([\d.]+) MiB")
_CELLS = "KV"
_SUMMED = frozenset({"model", _CELLS, "RS"})
"""What is told once for each file or kind of cells; all else is told anew where it changes."""
_MAPPED = "_Mapped"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes in all buffers, and bytes of those on graphics cards."""

    total: int
    on_cards: int


class Buffers:
    """Sums up the log's lines about buffers, for each part of the process."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str, str], float] = {}  # MiB by part, device, purpose
        self.n_told = 0
        """How often something was allocated: `sizes` can only differ where this does."""

    def read(self, line: str, part: str) -> None:
        """Note what a line of the log says of buffers of `part`."""
        for device, purpose, size in _BUFFER.findall(line):
            key = part, device, purpose
            before = self._sizes.get(key, 0.0) if purpose in _SUMMED else 0.0
            self._sizes[key] = before + float(size)
            self.n_told += 1

    def forget(self, part: str) -> None:
        """A part is gone, or was not made after all."""
        for key in [each for each in self._sizes if each[0] == part]:
            del self._sizes[key]

    @property
    def cells(self) -> int:
        """Bytes that are kept of tokens."""
        return int(_MIB * sum(size for key, size in self._sizes.items() if key[2] == _CELLS))

    def sizes(self) -> Sizes:
        """What there is.

        A file that is mapped into memory counts for what no other buffer of its part has a copy
        of: the rest of it was only read, and its pages are free to go.
        """
        copied: defaultdict[str, float] = defaultdict(float)
        for (part, device, purpose), size in self._sizes.items():
            if purpose == "model" and not (device.endswith(_MAPPED) and _is_host(device)):
                copied[part] += size
        total = on_cards = 0.0
        for (part, device, _), size in self._sizes.items():
            if device.endswith(_MAPPED) and _is_host(device):
                total += max(0.0, size - copied[part])
                continue
            total += size
            if not _is_host(device):
                on_cards += size
        return Sizes(int(total * _MIB), int(on_cards * _MIB))


def _is_host(device: str) -> bool:
    return device.startswith(("CPU", "BLAS")) or device.endswith("_Host")
