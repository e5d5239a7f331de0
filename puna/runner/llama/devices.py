"""The devices that the engine can compute on, asked of libggml itself.

As a program (`python -m puna.runner.llama.devices`) it prints them as JSON and ends: drivers are
asked in a process of its own, where a crash costs nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import llama_cpp
from msgspec import json

from puna.discover.hardware import METAL, Card
from puna.runner.llama.library import lib
from puna.runner.protocol import EngineDevices

__all__ = ["device_handles", "library_name", "read_devices"]

_CPU, _GPU, _INTEGRATED = 0, 1, 2
_NAMES = {"MTL": METAL}
"""Backends that the engine calls otherwise than people do."""


class _Props(ctypes.Structure):
    """ggml_backend_dev_props (ggml-backend.h), with room for capabilities that come later."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("capabilities", ctypes.c_bool * 64),
    ]


def ggml_library() -> Any:
    """libggml, which libllama has loaded already."""
    folder = Path(llama_cpp.__file__).parent / "lib"
    names = {"darwin": "libggml.dylib", "win32": "ggml.dll"}
    library: Any = ctypes.CDLL(str(folder / names.get(sys.platform, "libggml.so")))
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    for name in ("ggml_backend_dev_get", "ggml_backend_dev_backend_reg"):
        getattr(library, name).restype = ctypes.c_void_p
    library.ggml_backend_dev_backend_reg.argtypes = [ctypes.c_void_p]
    library.ggml_backend_dev_get_props.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Props)]
    library.ggml_backend_dev_get_props.restype = None
    library.ggml_backend_reg_name.argtypes = [ctypes.c_void_p]
    library.ggml_backend_reg_name.restype = ctypes.c_char_p
    return library


def _each() -> list[tuple[int, _Props, str]]:
    """Every device of the engine: its handle, what it says of itself, its backend's name."""
    ggml = ggml_library()
    found = []
    for index in range(ggml.ggml_backend_dev_count()):
        handle = ggml.ggml_backend_dev_get(index)
        props = _Props()
        ggml.ggml_backend_dev_get_props(handle, ctypes.byref(props))
        backend = ggml.ggml_backend_reg_name(ggml.ggml_backend_dev_backend_reg(handle))
        found.append((handle, props, library_name(_text(backend))))
    return found


def library_name(backend: str) -> str:
    """What Card calls a backend of the engine's."""
    return _NAMES.get(backend, backend)


def device_handles() -> list[int]:
    """libggml's pointers to the cards, by the index that Card has."""
    return [handle for handle, props, _ in _each() if props.type in (_GPU, _INTEGRATED)]


def read_devices() -> EngineDevices:
    """What the engine can use. Asks drivers: may take a while, and may crash with them."""
    lib.llama_backend_init()
    devices = _each()
    cards = [(props, backend) for _, props, backend in devices if props.type in (_GPU, _INTEGRATED)]
    return EngineDevices(
        cards=tuple(
            Card(
                index=index,
                name=_text(props.name),
                library=backend,
                total=int(props.memory_total),
                free=int(props.memory_free),
                is_integrated=props.type == _INTEGRATED,
                id=_text(props.device_id).lower(),
                description=_text(props.description),
            )
            for index, (props, backend) in enumerate(cards)
        ),
        backends=tuple(dict.fromkeys(backend for _, _, backend in devices)),
        features=tuple(sorted(_features())),
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _features() -> set[str]:
    """Instruction sets that the engine was built for, in lower case."""
    line = lib.llama_print_system_info().decode("utf-8", "replace")
    words = line.replace(":", "|").split("|")
    pairs = (word.split("=") for word in words if "=" in word)
    return {name.strip().lower() for name, value in pairs if value.strip() == "1" and name.strip()}


def main() -> None:
    """Print what the engine can use as one line of JSON; what drivers print goes to stderr."""
    out = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError), os.fdopen(out, "wb") as pipe:
        pipe.write(json.encode(read_devices()) + b"\n")


if __name__ == "__main__":
    main()
