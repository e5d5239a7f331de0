"""Hands the engine files that are not written anywhere: as a stream of the C library's whose reads
come back here, or, for what takes nothing but a path, in memory.

Where there is no such stream, or no file in memory, it is a file in the temporary folder for as
long as the load takes.
"""

from __future__ import annotations

import ctypes
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from puna.convert.unwritten import Unwritten
from puna.runner.llama.library import lib

__all__ = ["load_stream", "written"]

log = logging.getLogger(__name__)

_HAS_MEMORY_FILES = hasattr(os, "memfd_create")
_FULLY_BUFFERED = 0
_BUFFER_BYTES = 1 << 20  # larger reads come past it
_Read = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Seek = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64), ctypes.c_int
)


class _Functions(ctypes.Structure):
    """`cookie_io_functions_t`."""

    _fields_ = (
        ("read", _Read),
        ("write", ctypes.c_void_p),
        ("seek", _Seek),
        ("close", ctypes.c_void_p),
    )


class _Cursor:
    """A place in a file, as the C library moves it. C has no use for errors: the first is kept."""

    def __init__(self, file: Unwritten) -> None:
        self._file = file
        self._at = 0
        self.error: Exception | None = None

    def read(self, _: object, address: int, n_bytes: int) -> int:
        """Called by the C library; -1 for an error."""
        view = memoryview((ctypes.c_char * n_bytes).from_address(address)).cast("B")
        try:
            done = self._file.read_into(view, self._at)
        except Exception as error:  # noqa: BLE001 - ctypes would report it and read on
            self.error = self.error or error
            return -1
        self._at += done
        return done

    def seek(self, _: object, place: Any, whence: int) -> int:
        """Called by the C library, which is told in `place` where that is."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        at = base + place[0]
        if at < 0:
            return -1
        self._at = place[0] = at
        return 0


def load_stream(file: Unwritten, params: Any) -> Any:
    """libllama's pointer to the model in a file, null where it fails. It is read, not mapped.

    Raises BadModelFile and OSError where the file cannot be read.
    """
    params.load_mode = lib.LLAMA_LOAD_MODE_NONE
    params.lazy_mode = lib.LLAMA_LAZY_MODE_OFF
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "fopencookie"):
        with written(file, in_memory=False) as path:
            return lib.llama_model_load_from_file(path.encode(), params)
    cursor = _Cursor(file)
    functions = _Functions(read=_Read(cursor.read), seek=_Seek(cursor.seek))
    libc.fopencookie.argtypes = [ctypes.c_void_p, ctypes.c_char_p, _Functions]
    libc.fopencookie.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopencookie(None, b"rb", functions))
    if not stream:
        raise OSError("no stream could be opened to read the model through")
    try:
        libc.setvbuf(stream, None, _FULLY_BUFFERED, ctypes.c_size_t(_BUFFER_BYTES))
        handle = lib.llama_model_load_from_file_ptr(stream, params)
    finally:
        libc.fclose(stream)
    if cursor.error is not None:
        if handle:
            lib.llama_model_free(handle)
        raise cursor.error
    return handle


@contextmanager
def written(file: Unwritten, *, in_memory: bool = _HAS_MEMORY_FILES) -> Iterator[str]:
    """A path where the file is meanwhile. Raises BadModelFile, OSError where there is no room."""
    if in_memory:
        descriptor = os.memfd_create("puna", os.MFD_CLOEXEC)
        try:
            _write(file, descriptor)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="puna-") as folder:
        path = Path(folder) / "model.gguf"
        with path.open("wb", buffering=0) as out:
            _write(file, out.fileno())
        yield str(path)


def _write(file: Unwritten, descriptor: int) -> None:
    for piece in file.pieces():
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
