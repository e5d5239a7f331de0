"""The main of a child process that quantises one file with libllama, and says how far it is.

Started by quantize.py: an order as JSON on stdin, a line of JSON on stdout for every tensor.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from llama_cpp import llama_cpp as _bindings

from puna.child import die_with_parent
from puna.convert.imatrix import Matrix, check_fits, read_matrix
from puna.convert.quantize import Order
from puna.convert.unwritten import Unwritten, widen_floats
from puna.convert.working import Said
from puna.discover.cpu import worker_threads
from puna.errors import BadModelFile, PunaError
from puna.gguf.reader import read_header
from puna.gguf.translation.registry import translation_of
from puna.gguf.types import FILE_TYPES, TYPE_NUMBERS

__all__ = ["Teller", "carry_out"]

lib: Any = _bindings

_ERROR, _CONTINUED = 4, 5  # libllama's levels
_TENSOR = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")
_FAILED = re.compile(r"^llama_model_quantize: failed to quantize: ")
_FILE_NUMBERS = {name: number for number, name in FILE_TYPES.items()}
_TEXT_BYTES = 127  # of a value in the engine's structure
_ROWS_BYTES = 512 << 20  # of a tensor, in memory at once


class Teller:
    """Writes lines for the parent, on what was stdout before anybody else could write there."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self.failure = "no reason given"
        # ctypes keeps no reference of its own: without this one the callback would be freed
        self._callback = lib.llama_log_callback(self._hear)

    def listen(self) -> None:
        """Hear what libllama says."""
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def tell(self, said: Said) -> None:
        """Write one line; a parent that is gone ends this process."""
        try:
            self._pipe.write(msgspec.json.encode(said) + b"\n")
        except OSError:
            os._exit(1)

    def _hear(self, level: int, text: bytes, _: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if level == _ERROR and line:
            self.failure = _FAILED.sub("", line)
            sys.stderr.write(f"{line}\n")
        elif level != _CONTINUED and (found := _TENSOR.match(line)):
            self.tell(Said(int(found[1]) - 1, int(found[2])))


def _parameters(order: Order) -> Any:
    """libllama's structure for the order."""
    parameters = lib.llama_model_quantize_default_params()
    parameters.nthread = worker_threads()
    parameters.ftype = _FILE_NUMBERS[order.level]
    parameters.allow_requantize = True
    parameters.max_buf_size = _ROWS_BYTES
    if order.overrides:
        parameters.tt_overrides = _overrides(order.overrides)
    if order.matrix:
        matrix = read_matrix(Path(order.matrix))
        check_fits(matrix, read_header(Path(order.text or order.source)).tensors)
        parameters.imatrix = _importance(matrix)
        parameters.kv_overrides = _records(matrix)
    return parameters


def _overrides(pairs: Sequence[tuple[str, str]]) -> Any:
    """An array that ends with an entry without a pattern."""
    array = (lib.llama_model_tensor_override * (len(pairs) + 1))()
    for entry, (pattern, kind) in zip(array, pairs, strict=False):
        entry.pattern = pattern.encode()
        entry.type = TYPE_NUMBERS[kind]
    return array


def _importance(matrix: Matrix) -> Any:
    """An array that ends with an entry without a name; it keeps what it points to."""
    array = (lib.llama_model_imatrix_data * (len(matrix.entries) + 1))()
    pointer = ctypes.POINTER(ctypes.c_float)
    for entry, (name, values) in zip(array, matrix.entries.items(), strict=False):
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(pointer)
        entry.size = values.size
    array.matrix = matrix
    return array


def _records(matrix: Matrix) -> Any:
    """What the file will say of the matrix, as others say it; not the name of a local file."""
    texts = [("dataset", matrix.dataset)] if matrix.dataset else []
    numbers = [("entries_count", len(matrix.entries)), ("chunks_count", matrix.chunks)]
    array = (lib.llama_model_kv_override * (len(texts) + len(numbers) + 1))()
    for entry, (key, value) in zip(array, [*texts, *numbers], strict=False):
        entry.key = f"quantize.imatrix.{key}".encode()
        if isinstance(value, str):
            entry.tag = lib.LLAMA_KV_OVERRIDE_TYPE_STR
            entry.value.val_str = _cut(value)
        else:
            entry.tag = lib.LLAMA_KV_OVERRIDE_TYPE_INT
            entry.value.val_i64 = value
    return array


def _cut(text: str) -> bytes:
    """As much of the text as the engine has room for, in whole characters."""
    raw = text.replace("\0", " ").encode("utf-8", "replace")[:_TEXT_BYTES]
    return raw.decode("utf-8", "ignore").encode()


def carry_out(order: Order, teller: Teller) -> Said:
    """Do what is ordered, and say how it ended."""
    try:
        if order.text:
            _translate(order)
        parameters = _parameters(order)
    except (PunaError, OSError) as wrong:
        return Said(failure=str(wrong))
    failed = lib.llama_model_quantize(
        os.fsencode(order.text or order.source), os.fsencode(order.target), ctypes.byref(parameters)
    )
    if not failed:
        return Said(1, 1)
    # streams of C++ say no more when they cannot write
    is_mute = "iostream error" in teller.failure
    return Said(failure="the file cannot be written in full" if is_mute else teller.failure)


def _translate(order: Order) -> None:
    """Write the source in the engine's own form. Raises BadModelFile, OSError."""
    source = Path(order.source)
    translation = translation_of(read_header(source), source)
    if translation is None:
        raise BadModelFile("the file became another one")
    pairs = ((translation.text, order.text), (translation.eye, order.projector))
    for target, path in pairs:
        if target and path:
            with Unwritten(target, source, widen_floats) as file, open(path, "wb") as out:
                out.writelines(file.pieces())


def main() -> None:
    """Do what stdin orders, for the process of the given number."""
    die_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends us
    teller = Teller()
    teller.listen()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    teller.tell(carry_out(order, teller))


if __name__ == "__main__":
    main()
