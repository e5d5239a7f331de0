"""Importance matrices that lie about their lengths, or are broken anywhere."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import numpy as np

from puna.convert.imatrix import read_matrix
from tests.fakes.matrices import pack_gguf_matrix, pack_old_matrix
from tests.fuzz.mutate import broken_bytes

__all__ = ["make_matrix", "use_matrix"]

_LENGTHS = (-1, 0, 1, 3, 2**16, 2**31 - 1, -(2**31))


def make_matrix(chance: Random) -> bytes:
    """A file of either form."""
    values = {name: [chance.choice((0.5, 0, 3, 1e30))] * 8 for name in ("a.weight", "ü")}
    if chance.random() < 0.5:
        counts = {name: [chance.choice((0, 1, 4))] * chance.choice((1, 2, 3)) for name in values}
        if chance.random() < 0.1:
            counts.pop("ü")
        raw = pack_gguf_matrix(values, counts, kind=chance.choice(("imatrix", "imatrix", "model")))
    else:
        raw = pack_old_matrix(values, chance.randrange(-1, 3), chance.choice((None, "wiki")))
        if chance.random() < 0.4:
            at = 4 * chance.randrange(len(raw) // 4)
            raw = raw[:at] + struct.pack("<i", chance.choice(_LENGTHS)) + raw[at + 4 :]
    return broken_bytes(chance, raw) if chance.random() < 0.4 else raw


def use_matrix(raw: bytes, folder: Path) -> None:
    """What was read is a matrix: numbers, none of them negative, no more than the file has."""
    path = folder / "imatrix"
    path.write_bytes(raw)
    matrix = read_matrix(path)
    assert matrix.entries
    assert sum(values.nbytes for values in matrix.entries.values()) <= len(raw)
    assert all(np.isfinite(values).all() for values in matrix.entries.values())
    assert all((values >= 0).all() for values in matrix.entries.values())
