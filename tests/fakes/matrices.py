"""Importance matrices as files, in both forms, without code of ours."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from tests.fakes.ggufs import Array, Tensor, Value, pack_gguf

Values = Mapping[str, Sequence[float]]


def pack_gguf_matrix(
    sums: Values, counts: Values, dataset: str = "wiki", chunks: int = 5, kind: str = "imatrix"
) -> bytes:
    """The newer form: sums and counts, each an F32 tensor."""
    metadata: dict[str, Value] = {
        "general.type": kind,
        "imatrix.datasets": Array(8, [dataset]),
        "imatrix.chunk_count": chunks,
        "imatrix.chunk_size": 512,
    }
    tensors = []
    for name, values in sums.items():
        experts = len(counts.get(name, [1]))
        data = np.array(values, "<f4").tobytes()
        tensors.append(Tensor(f"{name}.in_sum2", (len(values) // experts, experts), 0, data))
    for name, values in counts.items():
        data = np.array(values, "<f4").tobytes()
        tensors.append(Tensor(f"{name}.counts", (1, len(values)), 0, data))
    return pack_gguf(metadata, tensors)


def pack_old_matrix(
    entries: Values, calls: int = 2, dataset: str | None = "wiki", chunks: int = 5
) -> bytes:
    """The older form, `.dat`: the values are sums over the calls."""
    out = struct.pack("<i", len(entries))
    for name, values in entries.items():
        raw = name.encode()
        out += struct.pack("<i", len(raw)) + raw + struct.pack("<ii", calls, len(values))
        out += np.array(values, "<f4").tobytes()
    if dataset is not None:
        raw = dataset.encode()
        out += struct.pack("<ii", chunks, len(raw)) + raw
    return out
