"""A sequence's cells as bytes, out of libllama and back, and the name of the build that knows them.

libllama checks these bytes for consistency, not for malice: what comes from outside is checked
before it comes here.
"""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from puna.runner.llama.library import LOG, lib

__all__ = ["Scratch", "engine_build", "read_narrowed", "read_state", "read_widened", "write_state"]

_HEAD = struct.Struct("=II")  # a mark, and whose cells they are; the number of streams follows
_COUNT = struct.Struct("=I")
_LEAST = _HEAD.size + _COUNT.size
_KEPT = 1 << 26  # bytes: larger states belong to models whose decodes take longer than new pages


class Scratch:
    """Memory for states that are on their way from one context to another. It is kept from one to
    the next, as pages that are new cost ten times what it takes to fill them."""

    def __init__(self) -> None:
        self._kept: npt.NDArray[np.uint8] = np.empty(0, np.uint8)

    def prepare(self, size: int) -> None:
        """Have pages for a state of so many bytes, as far as such are kept."""
        self.take(min(size, _KEPT)).fill(0)

    def take(self, size: int) -> npt.NDArray[np.uint8]:
        """Shape (size,). Whoever took it before must not need it any more."""
        if size > _KEPT:
            return np.empty(size, np.uint8)
        if size > len(self._kept):
            self._kept = np.empty(min(_KEPT, 1 << size.bit_length()), np.uint8)
            LOG.count("CPU", "scratch", len(self._kept))
        return self._kept[:size]


def read_state(context: Any, sequence: int, scratch: Scratch | None = None) -> memoryview:
    """All cells of a sequence; empty when libllama cannot give them. Of `scratch` they are valid
    until the next are read."""
    return _read(context, sequence, 0, scratch)


def _read(context: Any, sequence: int, room: int, scratch: Scratch | None) -> memoryview:
    """The same, behind `room` bytes that are free."""
    size = int(lib.llama_state_seq_get_size(context, sequence))
    state = scratch.take(room + size) if scratch else np.empty(room + size, np.uint8)
    read = _bytes(state[room:])
    count = lib.llama_state_seq_get_data(context, read, size, sequence) if size else 0
    return state.data[: room + int(count)]


def read_widened(context: Any, sequence: int, n_streams: int, scratch: Scratch) -> memoryview:
    """All cells of a sequence of a context with one stream, as one with `n_streams` reads them;
    empty where there are none."""
    room = _COUNT.size * (n_streams - 1)
    state = _read(context, sequence, room, scratch)
    if len(state) < room + _LEAST:
        return state[:0]
    state[: _HEAD.size] = state[room : room + _HEAD.size]
    counts = n_streams, *[0] * (n_streams - 1)  # of the streams, and of cells in all but the last
    struct.pack_into(f"={n_streams}I", state, _HEAD.size, *counts)
    return state


def read_narrowed(context: Any, sequence: int, n_streams: int, scratch: Scratch) -> memoryview:
    """All cells of a sequence of a context with `n_streams`, as one with one stream reads them;
    empty where there are none."""
    state = read_state(context, sequence, scratch)
    if len(state) < _LEAST + _COUNT.size * (n_streams - 1):
        return state[:0]
    start = _COUNT.size * sequence
    head = bytes(state[: _HEAD.size])
    state[start : start + _HEAD.size] = head
    _COUNT.pack_into(state, start + _HEAD.size, 1)
    return state[start : len(state) - _COUNT.size * (n_streams - 1 - sequence)]


def write_state(context: Any, sequence: int, state: memoryview) -> bool:
    """Give a sequence these cells instead of its own; False, and none, when it does not work, as
    with a state that is empty."""
    if not state:
        return False
    array = np.frombuffer(state, np.uint8)
    read = int(lib.llama_state_seq_set_data(context, _bytes(array), len(array), sequence))
    if read != len(array):
        lib.llama_memory_seq_rm(lib.llama_get_memory(context), sequence, -1, -1)
        return False
    return True


def _bytes(array: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def engine_build() -> str:
    """The version of the bindings, each library's size, and what they were built for."""
    libraries = sorted((Path(llama_cpp.__file__).parent / "lib").iterdir())
    files = ",".join(f"{each.name}:{each.stat().st_size}" for each in libraries)
    system = lib.llama_print_system_info().decode("utf-8", "replace")
    return f"{llama_cpp.__version__} {files} {system}"
