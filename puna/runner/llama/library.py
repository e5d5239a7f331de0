"""The one door to libllama: its bindings, its log, and what its failures mean."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llama_cpp import llama_cpp as _bindings

from puna.errors import EngineError, OutOfMemory, StartFailed
from puna.runner.last_words import is_out_of_memory
from puna.runner.llama.buffers import Buffers

__all__ = ["INFO", "LEVELS", "LOG", "EngineLog", "lib", "start_failure"]

lib: Any = _bindings
"""libllama's functions and structures (ctypes; untyped)."""

INFO, WARN, ERROR, CONTINUED = 2, 3, 4, 5
LEVELS = {INFO: "I", WARN: "W", ERROR: "E"}
"""How a line's level is marked on stderr; handle.py reads it."""

_INCOMPATIBLE = (
    ": this model may be incompatible with this version of Puna's engine, "
    "or its file may be damaged"
)


class EngineLog:
    """Receives libllama's log: remembers the last errors and the sizes of the buffers allocated."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._level = INFO
        self._partial = ""
        self._errors: deque[str] = deque(maxlen=8)
        self._parts = threading.local()  # what each thread allocates is counted with
        self._buffers = Buffers()
        self._sink: Callable[[int, str], None] = lambda level, line: None
        # ctypes keeps no reference of its own: without this one the callback would be freed
        self._callback = lib.llama_log_callback(self._receive)

    def attach(self, sink: Callable[[int, str], None]) -> None:
        """Take over libllama's log; `sink` gets whole lines with a level from 1 (debug) to 4."""
        self._sink = sink
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def follow(self, set_log: Callable[[Any, Any], None]) -> None:
        """Receive another library's log too, which `set_log` directs."""
        set_log(self._callback, ctypes.c_void_p(0))

    def count(self, device: str, component: str, n_bytes: int) -> None:
        """Count a buffer of which the library says nothing."""
        line = f"{device} {component} buffer size = {n_bytes / 1024 / 1024:.4f} MiB"
        self._read(line)

    def _read(self, line: str) -> None:
        with self._lock:
            self._buffers.read(line, getattr(self._parts, "name", ""))

    def _receive(self, level: int, text: bytes, _: object) -> None:
        with self._lock:
            if level != CONTINUED:
                self._level = level
            self._partial += text.decode("utf-8", "replace")
            *lines, self._partial = self._partial.split("\n")
        for line in lines:
            self._line(self._level, line)

    def _line(self, level: int, line: str) -> None:
        if level == ERROR and line.strip():
            self._errors.append(line.strip())
        self._read(line)
        self._sink(level, line)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what this thread allocates meanwhile beside the rest; not at all when it fails."""
        self._parts.name = name
        try:
            yield
        except BaseException:
            self.forget_part(name)
            raise
        finally:
            self._parts.name = ""

    def forget_part(self, name: str) -> None:
        """What was allocated as this part is free again."""
        with self._lock:
            self._buffers.forget(name)

    @property
    def errors(self) -> str:
        """The last error lines, oldest first."""
        return "; ".join(self._errors)

    def forget_errors(self) -> None:
        """Start a new attempt."""
        self._errors.clear()

    @property
    def n_allocations(self) -> int:
        """How often something was allocated: `allocated` can only differ where this does."""
        return self._buffers.n_told

    @property
    def cells(self) -> int:
        """Bytes of the cells of all contexts."""
        with self._lock:
            return self._buffers.cells

    def allocated(self) -> tuple[int, int]:
        """Bytes in all buffers, and bytes of those that are on graphics cards."""
        with self._lock:
            sizes = self._buffers.sizes()
        return sizes.total, sizes.on_cards


LOG = EngineLog()
"""libllama has one log for the whole process, and so have we."""


def start_failure(what: str) -> EngineError:
    """The error for a load that failed, from what libllama said about it."""
    errors = LOG.errors
    if is_out_of_memory(errors):
        return OutOfMemory(f"{what}: {errors}")
    return StartFailed(f"{what}: {errors or 'no reason given'}{_INCOMPATIBLE}")
