"""A sequence's cells as bytes, out of libllama and back, and the name of the build that knows them.

libllama checks these bytes for consistency, not for malice: what comes from outside is checked
before it comes here.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from puna.runner.llama.library import lib

__all__ = ["engine_build", "read_state", "write_state"]


def read_state(context: Any, sequence: int) -> memoryview:
    """All cells of a sequence; empty when libllama cannot give them."""
    size = int(lib.llama_state_seq_get_size(context, sequence))
    state = np.empty(size, np.uint8)
    count = lib.llama_state_seq_get_data(context, _bytes(state), size, sequence) if size else 0
    return state.data[: int(count)]


def write_state(context: Any, sequence: int, state: memoryview) -> bool:
    """Give a sequence these cells instead of its own; False, and none, when it does not work."""
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
