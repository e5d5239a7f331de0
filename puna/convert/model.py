"""A checkpoint's folder becomes a GGUF file, and another for its encoder: read, map, write, check.
Runs in the child process.

Facts: conversion spec, section 3.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from puna.convert.check import check_layout, check_model, check_projector
from puna.convert.checkpoint import read_config, read_weights
from puna.convert.config import Config
from puna.convert.conversion import Order, Written
from puna.convert.encoder import find_encoder
from puna.convert.families.registry import family_of
from puna.convert.family import Family, Keys, Value
from puna.convert.keys import common_keys
from puna.convert.plan import FILE_TYPE_NUMBERS, Output, map_weights, natural_kind
from puna.convert.pooling import dense_keys, dense_weights, pooling_keys
from puna.convert.quantized import unpacked
from puna.convert.tensor import Tensor
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.convert.write import TooLarge, open_file, write_data
from puna.gguf.reader import read_header

__all__ = ["convert_model"]


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be. `row` is a projector's, for its check."""

    path: Path
    role: Literal["model", "projector"]
    architecture: str
    keys: Mapping[str, Value]
    outputs: Sequence[Output]
    row: int = 0


def convert_model(order: Order, tell: Callable[[int, int], None]) -> tuple[Written, ...]:
    """Write the model's file, the projector's where the checkpoint has an encoder, and check them;
    `tell` hears of tensors done and in all. Gives what was written.

    Raises ConvertError, OSError; nothing is left of files when one failed.
    """
    try:
        try:
            return _convert(order, order.type, tell)
        except TooLarge:
            return _convert(order, "BF16", tell)
    except BaseException:
        for path in (order.target, order.projector):
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise


def _convert(order: Order, kind: str, tell: Callable[[int, int], None]) -> tuple[Written, ...]:
    folder = Path(order.source)
    config = read_config(folder)
    weights = unpacked(config, read_weights(folder, allow_pickle=order.allow_pickle))
    kind = kind or natural_kind(weights.values())
    files = list(_files(order, folder, config, weights, kind))
    total = sum(len(file.outputs) + 1 for file in files)
    done = 0

    def written(_output: Output | None = None) -> None:
        nonlocal done
        tell(done, total)
        done += 1

    for file in files:
        open_file(file.path, file.keys, file.outputs)
        if file.role == "model":
            check_layout(file.path, {output.name: output.tensor for output in file.outputs})
    for file in files:
        write_data(file.path, file.outputs, written)
        written()
        read_header(file.path)
        if file.role == "model":
            check_model(file.path)
        else:
            check_projector(Path(order.target), file.path, file.row)
    tell(total, total)
    return tuple(Written(str(f.path), f.role, f.architecture, kind) for f in files)


def _files(
    order: Order, folder: Path, config: Config, weights: Mapping[str, Tensor], kind: str
) -> Iterator[_File]:
    """What is to be written, every tensor with its place and its shape."""
    family = family_of(config)
    family = family.final(config) or family
    own = {**weights, **dense_weights(folder)} if family.dense else weights
    outputs = map_weights(family, config, own, kind)
    keys = model_keys(folder, config, family, outputs, kind, family.read(config, weights))
    yield _File(Path(order.target), "model", family.architecture, keys, outputs)
    encoder = find_encoder(folder, config, weights) if order.projector else None
    if encoder:
        path, architecture = Path(order.projector), encoder.architecture
        outputs, keys = encoder.outputs(weights, kind), encoder.keys(kind)
        yield _File(path, "projector", architecture, keys, outputs, encoder.row)


def model_keys(
    folder: Path,
    config: Config,
    family: Family,
    outputs: list[Output],
    kind: str,
    read: Keys = MappingProxyType({}),
) -> dict[str, Value]:
    """The file's metadata in its order. Raises BadCheckpoint, TokenizerError."""
    keys: dict[str, Value | None] = {
        "general.architecture": family.architecture,
        "general.type": "model",
        "general.file_type": FILE_TYPE_NUMBERS[kind],
        "general.quantization_version": 2,
    }
    own = common_keys(config, family.n_blocks(config)) | dict(family.keys(config))
    own |= pooling_keys(folder) | dense_keys(outputs) | source_keys(outputs) | dict(read)
    if own["context_length"] is None:
        raise config.bad("context", None, "a whole number")
    keys |= {_full(family.architecture, key): value for key, value in own.items()}
    tokens = tokenizer_keys(Folder.read(folder, config), _rows(outputs), family.vocabulary)
    return {key: value for key, value in (keys | tokens).items() if value is not None}


def source_keys(outputs: Iterable[Output]) -> dict[str, Value]:
    """Which tensors had eight bits in the checkpoint: create makes eight bits of them again."""
    names = sorted(output.name for output in outputs if output.tensor.origin)
    if not names:
        return {}
    return {"source_quantization": "hf_fp8", "source_fp8_tensors": names}


_WITHOUT = ("general.", "tokenizer.", "xielu.")  # keys without the architecture's name


def _full(architecture: str, key: str) -> str:
    return key if key.startswith(_WITHOUT) else f"{architecture}.{key}"


def _rows(outputs: list[Output]) -> int:
    return next((o.tensor.shape[0] for o in outputs if o.name == "token_embd.weight"), 0)
