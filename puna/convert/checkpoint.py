"""Finds the weights of a Hugging Face folder: which files they are in, and where in those files.

Facts: conversion spec, sections 1, 3.2 and 10. Nothing but headers is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from puna.convert.config import Config, read_json
from puna.convert.safetensors import Place, read_places
from puna.convert.tensor import Tensor, stored
from puna.errors import BadCheckpoint, MissingTensor

__all__ = ["read_config", "read_weights"]

MAX_SHARDS = 4096
_GROUPS = ("model*.safetensors", "consolidated*.safetensors")
_PICKLES = ("*.bin", "*.pth", "*.pt")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$")


def read_config(folder: Path) -> Config:
    """The folder's config.json. Raises BadCheckpoint."""
    try:
        return Config(read_json(folder / "config.json"))
    except FileNotFoundError:
        raise BadCheckpoint("config.json", "is missing") from None


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor by its name, in the order of files and names. Raises BadCheckpoint, OSError."""
    index = folder / "model.safetensors.index.json"
    named = _weight_map(index) if index.exists() else {}
    files = sorted(folder / name for name in set(named.values())) if named else _files(folder)
    places: dict[str, Place] = {}
    for file in files:
        if not file.is_file():
            raise BadCheckpoint(file.name, f"is missing, {index.name} names it")
        for place in sorted(read_places(file), key=lambda place: place.name):
            if other := places.get(place.name):
                raise BadCheckpoint(
                    file.name, f"duplicate tensor name, also in {other.file.name}", place.name
                )
            places[place.name] = place
    for name, file_name in named.items():
        if name not in places:
            raise MissingTensor(file_name, f"is missing, {index.name} names it", name)
    return {name: stored(place) for name, place in places.items()}


def _weight_map(index: Path) -> Mapping[str, str]:
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise BadCheckpoint(index.name, "has no 'weight_map'")
    for tensor, file in names.items():
        if not isinstance(file, str) or Path(file).name != file or file.startswith("."):
            raise BadCheckpoint(index.name, f"{str(file)[:80]!r} is not a file's name", tensor[:80])
    if len(set(names.values())) > MAX_SHARDS:
        raise BadCheckpoint(index.name, f"names more than {MAX_SHARDS} files")
    return names


def _files(folder: Path) -> list[Path]:
    for pattern in _GROUPS:
        if files := sorted(folder.glob(pattern)):
            _check_shards(files)
            return files
    for pattern in _PICKLES:
        if found := sorted(folder.glob(pattern)):
            raise BadCheckpoint(
                found[0].name,
                "holds Python objects, which may run code when they are read: "
                "convert the checkpoint to safetensors first",
            )
    raise BadCheckpoint(str(folder.name), "no model*.safetensors in the folder")


def _check_shards(files: Iterable[Path]) -> None:
    """Every part of a set without an index must be there."""
    there = {file.name for file in files}
    for name in sorted(there):
        if found := _SHARD.search(name):
            for number in range(1, min(int(found[2]), MAX_SHARDS) + 1):
                wanted = name[: found.start()] + f"-{number:05}-of-{found[2]}.safetensors"
                if wanted not in there:
                    raise BadCheckpoint(wanted, "is missing")
