"""Files of safetensors whose headers lie about types, shapes or offsets, or are broken anywhere."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from puna.convert.kinds import STORAGE
from puna.convert.safetensors import read_places
from tests.fuzz.mutate import broken_bytes, broken_json

__all__ = ["make_safetensors", "use_safetensors"]

_HEADER: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "model.norm.weight": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]},
    "lm_head.weight": {"dtype": "BF16", "shape": [4, 2], "data_offsets": [32, 48]},
    "ü": {"dtype": "I64", "shape": [], "data_offsets": [48, 56]},
}
_LENGTHS = (0, 1, 7, 2**31, 100 << 20, 2**63, 2**64 - 1)


def make_safetensors(chance: Random) -> bytes:
    """A file that may lie about the length of its header, too."""
    whole = json.dumps(_HEADER).encode()
    header = broken_json(chance, _HEADER) if chance.random() < 0.6 else whole
    length = chance.choice(_LENGTHS) if chance.random() < 0.1 else len(header)
    raw = length.to_bytes(8, "little") + header + bytes(56)
    return broken_bytes(chance, raw) if chance.random() < 0.3 else raw


def use_safetensors(raw: bytes, folder: Path) -> None:
    """Every place lies in the file, has the size of its shape, and none is over another."""
    path = folder / "model.safetensors"
    path.write_bytes(raw)
    places = read_places(path)
    for place in places:
        assert 8 <= place.begin <= place.end <= len(raw)
        n_bytes = math.prod(place.shape) * STORAGE[place.kind].itemsize
        assert n_bytes == place.end - place.begin
    filled = [place for place in places if place.begin < place.end]
    assert all(before.end <= after.begin for before, after in pairwise(filled))
