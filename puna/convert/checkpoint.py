"""Finds the weights of a Hugging Face folder: which files they are in, and where in those files.

Facts: conversion spec, sections 1, 3.2 and 10. Nothing but headers is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from puna.convert.config import Config, read_json
from puna.convert.pickles import read_pickled
from puna.convert.safetensors import read_places
from puna.convert.tensor import Tensor, stored
from puna.errors import BadCheckpoint, MissingTensor

__all__ = ["read_config", "read_weights"]

MAX_SHARDS = 4096
_GROUPS = ("model*.safetensors", "consolidated*.safetensors")
_PICKLES = ("pytorch_model*.bin", "consolidated*.pth", "*.bin", "*.pth", "*.pt")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.(safetensors|bin)$")


def read_config(folder: Path) -> Config:
    """The folder's config.json. Raises BadCheckpoint."""
    try:
        return Config(read_json(folder / "config.json"))
    except FileNotFoundError:
        raise BadCheckpoint("config.json", "is missing") from None


def read_weights(folder: Path, *, allow_pickle: bool = False) -> dict[str, Tensor]:
    """Every tensor by its name, in the order of files and names. Raises BadCheckpoint, OSError.

    Files of torch's are read only where `allow_pickle` says so, and where nothing else is there.
    """
    index = folder / "model.safetensors.index.json"
    if allow_pickle and not any(True for group in _GROUPS for _ in folder.glob(group)):
        index = folder / "pytorch_model.bin.index.json"
    named = _weight_map(index) if index.exists() else {}
    files = (
        sorted(folder / name for name in set(named.values()))
        if named
        else _files(folder, allow_pickle)
    )
    weights: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise BadCheckpoint(file.name, f"is missing, {index.name} names it")
        for name, tensor in sorted(_tensors(file).items()):
            if other := weights.get(name):
                raise tensor.bad(f"duplicate tensor name, also in {other.file}")
            weights[name] = tensor
    for name, file_name in named.items():
        if name not in weights:
            raise MissingTensor(file_name, f"is missing, {index.name} names it", name)
    return weights


def _tensors(file: Path) -> dict[str, Tensor]:
    if file.suffix != ".safetensors":
        return read_pickled(file)
    return {place.name: stored(place) for place in read_places(file)}


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


def _files(folder: Path, allow_pickle: bool) -> list[Path]:
    for pattern in _GROUPS:
        if files := sorted(folder.glob(pattern)):
            _check_shards(files)
            return files
    for pattern in _PICKLES:
        if found := sorted(folder.glob(pattern)):
            if allow_pickle:
                _check_shards(found)
                return found
            raise BadCheckpoint(
                found[0].name,
                "holds Python objects, which may run code when they are read: "
                "convert the checkpoint to safetensors first, or say --allow-pickle (field "
                "allow_pickle), by which only tensors are read and no code is run",
            )
    raise BadCheckpoint(str(folder.name), "no model*.safetensors in the folder")


def _check_shards(files: Iterable[Path]) -> None:
    """Every part of a set without an index must be there."""
    there = {file.name for file in files}
    for name in sorted(there):
        if found := _SHARD.search(name):
            for number in range(1, min(int(found[2]), MAX_SHARDS) + 1):
                wanted = name[: found.start()] + f"-{number:05}-of-{found[2]}.{found[3]}"
                if wanted not in there:
                    raise BadCheckpoint(wanted, "is missing")
