"""A checkpoint's folder becomes a GGUF file: read, map, write, check. Runs in the child process.

Facts: conversion spec, section 3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from puna.convert.check import check_layout, check_model
from puna.convert.checkpoint import read_config, read_weights
from puna.convert.config import Config
from puna.convert.families.registry import family_of
from puna.convert.family import Family, Value
from puna.convert.keys import common_keys
from puna.convert.plan import Output, map_weights, natural_kind
from puna.convert.pooling import pooling_keys
from puna.convert.quantized import unpacked
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.convert.write import TooLarge, open_file, write_data
from puna.gguf.reader import read_header
from puna.gguf.types import FILE_TYPES

__all__ = ["convert_model"]

_FILE_TYPES = {name: number for number, name in FILE_TYPES.items()}


def convert_model(
    folder: Path,
    target: Path,
    kind: str,
    tell: Callable[[int, int], None],
    *,
    allow_pickle: bool = False,
) -> tuple[str, str]:
    """Write `target` and check it; `tell` hears of tensors done and in all.

    `kind` is F32, F16 or BF16; empty for what suits the checkpoint. Gives architecture and type of
    the file. Raises ConvertError, OSError; nothing is left of a file that failed.
    """
    try:
        try:
            return _convert(folder, target, kind, tell, allow_pickle)
        except TooLarge:
            return _convert(folder, target, "BF16", tell, allow_pickle)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise


def _convert(
    folder: Path, target: Path, kind: str, tell: Callable[[int, int], None], allow_pickle: bool
) -> tuple[str, str]:
    config = read_config(folder)
    family = family_of(config)
    family = family.final(config) or family
    weights = unpacked(config, read_weights(folder, allow_pickle=allow_pickle))
    kind = kind or natural_kind(weights.values())
    outputs = map_weights(family, config, weights, kind)
    keys = model_keys(folder, config, family, outputs, kind)
    open_file(target, keys, outputs)
    check_layout(target, {output.name: output.tensor for output in outputs})
    done = 0

    def written(_output: Output) -> None:
        nonlocal done
        tell(done, len(outputs) + 1)
        done += 1

    write_data(target, outputs, written)
    tell(len(outputs), len(outputs) + 1)
    read_header(target)
    check_model(target)
    tell(len(outputs) + 1, len(outputs) + 1)
    return family.architecture, kind


def model_keys(
    folder: Path, config: Config, family: Family, outputs: list[Output], kind: str
) -> dict[str, Value]:
    """The file's metadata in its order. Raises BadCheckpoint, TokenizerError."""
    keys: dict[str, Value | None] = {
        "general.architecture": family.architecture,
        "general.type": "model",
        "general.file_type": _FILE_TYPES[kind],
        "general.quantization_version": 2,
    }
    own = common_keys(config, family.n_blocks(config)) | dict(family.keys(config))
    own |= pooling_keys(folder)
    if own["context_length"] is None:
        raise config.bad("context", None, "a whole number")
    keys |= {_full(family.architecture, key): value for key, value in own.items()}
    tokens = tokenizer_keys(Folder.read(folder, config), _rows(outputs), family.vocabulary)
    return {key: value for key, value in (keys | tokens).items() if value is not None}


def _full(architecture: str, key: str) -> str:
    return key if key.startswith(("general.", "tokenizer.")) else f"{architecture}.{key}"


def _rows(outputs: list[Output]) -> int:
    return next((o.tensor.shape[0] for o in outputs if o.name == "token_embd.weight"), 0)
