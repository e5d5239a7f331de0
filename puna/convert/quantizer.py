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
from typing import Any

import msgspec
from llama_cpp import llama_cpp as _bindings

from puna.child import die_with_parent
from puna.convert.quantize import Order
from puna.convert.working import Said
from puna.discover.cpu import worker_threads
from puna.gguf.types import FILE_TYPES, TENSOR_TYPES

lib: Any = _bindings

_ERROR, _CONTINUED = 4, 5  # libllama's levels
_TENSOR = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")
_FAILED = re.compile(r"^llama_model_quantize: failed to quantize: ")
_FILE_NUMBERS = {name: number for number, name in FILE_TYPES.items()}
_TENSOR_NUMBERS = {each.name: number for number, each in TENSOR_TYPES.items()}
_ROWS_BYTES = 512 << 20  # of a tensor, in memory at once


class _Teller:
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
    return parameters


def _overrides(pairs: Sequence[tuple[str, str]]) -> Any:
    """An array that ends with an entry without a pattern."""
    array = (lib.llama_model_tensor_override * (len(pairs) + 1))()
    for entry, (pattern, kind) in zip(array, pairs, strict=False):
        entry.pattern = pattern.encode()
        entry.type = _TENSOR_NUMBERS[kind]
    return array


def main() -> None:
    """Do what stdin orders."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends us
    teller = _Teller()
    teller.listen()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    parameters = _parameters(order)
    failed = lib.llama_model_quantize(
        os.fsencode(order.source), os.fsencode(order.target), ctypes.byref(parameters)
    )
    teller.tell(Said(failure=teller.failure) if failed else Said(1, 1))


if __name__ == "__main__":
    main()
