"""Quantising a file to a file, without a server: the new one appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from puna.convert.levels import check_matrix, parse_level
from puna.convert.quantize import Quantization, find_translation, is_source, quantize
from puna.convert.working import explain, free_bytes
from puna.errors import ConvertError, QuantError
from puna.gguf.describe import describe, describe_header
from puna.gguf.reader import read_header

__all__ = ["FileOrder", "plan", "quantize_file"]


@dataclass(frozen=True, slots=True)
class FileOrder:
    """The model in `source`, or in the parts of which it is the first, to become `target`."""

    source: Path
    target: Path
    level: str
    matrix: Path | None = None


def plan(order: FileOrder, *, replace: bool) -> Quantization:
    """Check the order, and say what is to be done. Raises QuantError, BadModelFile, OSError."""
    level = parse_level(order.level)
    check_matrix(level, has_matrix=order.matrix is not None)
    if order.matrix is not None and not order.matrix.is_file():
        raise QuantError(f"{order.matrix}: no such file")
    if order.source.is_dir():
        raise QuantError(f"{order.source} is a folder: puna create makes a model of it")
    if not order.source.is_file():
        raise QuantError(f"{order.source}: no such file")
    if order.target.exists():
        if order.target.is_dir() or order.target.samefile(order.source):
            raise QuantError(f"{order.target} cannot be replaced: name another file")
        if not replace:
            raise QuantError(f"{order.target} is there already: replace it with --force")
    if not order.target.absolute().parent.is_dir():
        raise QuantError(f"{order.target.parent}: no such folder")
    header = read_header(order.source)
    found = describe_header(header)
    if found.kind != "model":
        raise QuantError(f"{order.source} is no model: {found.kind}")
    if not is_source(found.quantization):
        raise QuantError("quantization is only supported for F16, BF16 and F32 models")
    translation = find_translation(header, order.source)
    if translation and translation.eye:
        raise QuantError(
            f"{order.source} holds the encoder of its images, which becomes a file of its own: "
            "make a model of it with puna create --quantize"
        )
    return Quantization(
        order.source, order.target, found.architecture, found.quantization, level, order.matrix
    )


async def quantize_file(work: Quantization) -> AsyncGenerator[float, None]:
    """Do it, and tell which fraction is done; who stops listening ends the work.

    Raises QuantError, StoreFull, OSError; the target is then as it was.
    """
    folder = work.target.absolute().parent
    with _beside(folder, work.target.name) as temp:
        order = Quantization(
            work.source, temp, work.architecture, work.before, work.level, work.matrix
        )
        try:
            async with aclosing(quantize(order)) as fractions:
                async for fraction in fractions:
                    yield fraction
        except ConvertError as failure:
            raise explain(failure, folder, free_bytes(folder)) from failure
        describe(temp)
        _sync(temp)
        temp.replace(work.target)
        _sync(folder)


@contextlib.contextmanager
def _beside(folder: Path, name: str) -> Iterator[Path]:
    """A name in the same folder that nobody uses; nothing stays under it."""
    path = folder / f".{name[:200]}.{secrets.token_hex(6)}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
