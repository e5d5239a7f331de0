"""How the vectors of a text's tokens become one, and what that goes through: what the files of
sentence-transformers say.

Facts: conversion spec, section 6.8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from puna.convert.config import MAX_JSON, read_json
from puna.convert.family import Value
from puna.convert.plan import DENSE, Output
from puna.convert.safetensors import read_places
from puna.convert.tensor import Tensor, stored
from puna.errors import BadCheckpoint

__all__ = ["dense_keys", "dense_weights", "pooling_keys"]

_MODES = {
    "pooling_mode_mean_tokens": 1,
    "pooling_mode_cls_token": 2,
    "pooling_mode_lasttoken": 3,
}
_NAMES = {"mean": 1, "cls": 2, "lasttoken": 3}


def pooling_keys(folder: Path) -> dict[str, Value]:
    """`pooling_type`, where modules.json names a pooling that the engine has. Raises
    BadCheckpoint.
    """
    for place in _places(folder, "Pooling"):
        settings = read_json(place / "config.json")
        number = _NAMES.get(str(settings.get("pooling_mode")), 0)
        for key, mode in _MODES.items():
            number = mode if settings.get(key) is True else number
        if number:
            return {"pooling_type": number}
    return {}


def dense_weights(folder: Path) -> dict[str, Tensor]:
    """The matrices that a text's vector goes through, by their names in GGUF. Raises BadCheckpoint
    for what the engine has no place for.
    """
    places = list(_places(folder, "Dense"))
    if len(places) > len(DENSE):
        raise BadCheckpoint("modules.json", f"has more than {len(DENSE)} dense modules")
    weights: dict[str, Tensor] = {}
    for name, place in zip(DENSE, places, strict=False):
        function = str(read_json(place / "config.json").get("activation_function", "Identity"))
        if not function.endswith("Identity"):
            raise BadCheckpoint("config.json", f"a dense module with {function[:80]}")
        tensors = {each.name: each for each in read_places(place / "model.safetensors")}
        if list(tensors) != ["linear.weight"]:
            raise BadCheckpoint("model.safetensors", f"of {place.name} is not one matrix alone")
        weights[name] = stored(tensors["linear.weight"])
    return weights


def dense_keys(outputs: Iterable[Output]) -> dict[str, Value]:
    """How wide those matrices are."""
    shapes = {output.name: output.shape for output in outputs if output.name in DENSE}
    keys: dict[str, Value] = {}
    for name, (n_out, n_in) in sorted(shapes.items()):
        stem = name.removesuffix(".weight")
        keys |= {f"{stem}_feat_in": n_in, f"{stem}_feat_out": n_out}
        if shapes[DENSE[0]][1] != n_out:
            keys["embedding_length_out"] = n_out
        else:
            keys.pop("embedding_length_out", None)
    return keys


def _places(folder: Path, kind: str) -> Iterator[Path]:
    """The folders of the modules of a kind, in their order."""
    for module in _modules(folder / "modules.json"):
        name = module.get("path")
        if not str(module.get("type", "")).endswith(kind) or not isinstance(name, str):
            continue
        if not name or Path(name).name != name or name.startswith("."):
            raise BadCheckpoint("modules.json", f"{name[:80]!r} is not a folder's name")
        yield folder / name


def _modules(path: Path) -> list[Mapping[str, Any]]:
    if not path.is_file():
        return []
    if path.stat().st_size > MAX_JSON:
        raise BadCheckpoint(path.name, f"is over the limit of {MAX_JSON} bytes")
    try:
        modules = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as cause:
        raise BadCheckpoint(path.name, "is not JSON") from cause
    if not isinstance(modules, list):
        raise BadCheckpoint(path.name, "is not a list")
    return [module for module in modules if isinstance(module, dict)]
