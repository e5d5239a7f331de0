"""Reads a SentencePiece model: the few fields of its protobuf that matter.

Written for files from strangers: any bytes give a `Pieces` or TokenizerError.
Facts: conversion spec, section 5.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import TokenizerError

__all__ = ["Pieces", "read_pieces"]

MAX_FILE = 64 << 20
MAX_PIECES = 1 << 21
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_UNIGRAM = 1


@dataclass(slots=True)
class Pieces:
    """Texts, scores and types by id, with what the normaliser does."""

    texts: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    is_unigram: bool = True
    charsmap: bytes = b""
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = True
    special: dict[str, int] = field(default_factory=dict)
    """Ids of the tokens `unknown`, `bos`, `eos` and `padding`, those that there are."""


def read_pieces(path: Path) -> Pieces:
    """The pieces of a tokenizer.model. Raises TokenizerError, OSError."""
    if path.stat().st_size > MAX_FILE:
        raise TokenizerError(f"{path.name}: is over the limit of {MAX_FILE} bytes")
    pieces = Pieces()
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1 and isinstance(value, bytes):
                _add_piece(pieces, value)
            elif number == 2 and isinstance(value, bytes):
                _read_trainer(pieces, value)
            elif number == 3 and isinstance(value, bytes):
                _read_normalizer(pieces, value)
    except (ValueError, struct.error) as cause:
        raise TokenizerError(f"{path.name}: is not a SentencePiece model") from cause
    if not pieces.texts:
        raise TokenizerError(f"{path.name}: has no pieces")
    return pieces


def _add_piece(pieces: Pieces, raw: bytes) -> None:
    text, score, kind = "", 0.0, 1
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, bytes):
            score = float(struct.unpack("<f", value)[0])
        elif number == 3 and isinstance(value, int):
            kind = value
    if len(pieces.texts) >= MAX_PIECES or not 1 <= kind <= 6 or score != score:
        raise ValueError
    pieces.texts.append(text)
    pieces.scores.append(score)
    pieces.types.append(kind)


def _read_trainer(pieces: Pieces, raw: bytes) -> None:
    names = {40: "unknown", 41: "bos", 42: "eos", 43: "padding"}
    pieces.special = {"unknown": 0, "bos": 1, "eos": 2}  # what the format means where it is silent
    for number, value in _fields(raw):
        if number == 3:
            pieces.is_unigram = value == _UNIGRAM
        elif number in names and isinstance(value, int):
            pieces.special[names[number]] = value if value < MAX_PIECES else -1
    pieces.special = {name: number for name, number in pieces.special.items() if number >= 0}


def _read_normalizer(pieces: Pieces, raw: bytes) -> None:
    for number, value in _fields(raw):
        if number == 2 and isinstance(value, bytes):
            pieces.charsmap = value
        elif number == 3:
            pieces.add_dummy_prefix = bool(value)
        elif number == 4:
            pieces.remove_extra_whitespaces = bool(value)


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: varints as whole numbers, everything else as its bytes."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(raw, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(raw, at)
        elif kind in (_EIGHT, _FOUR):
            length = 8 if kind == _EIGHT else 4
        else:
            raise ValueError
        if at + length > len(raw):
            raise ValueError
        yield tag >> 3, raw[at : at + length]
        at += length


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            raise ValueError
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError
