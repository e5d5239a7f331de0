"""Writes a SentencePiece model, field by field: what its library reads as its trainer's own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BYTE_PAIRS", "UNIGRAM", "Normalizer", "pieces_model"]

UNIGRAM, BYTE_PAIRS = 1, 2
_BYTE = 6


@dataclass(frozen=True)
class Normalizer:
    """What happens to a text before it is split; Llama's by itself."""

    charsmap: bytes = b""
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = False


def pieces_model(
    tokens: Sequence[str],
    scores: Sequence[float],
    types: Sequence[int],
    kind: int,
    normalizer: Normalizer,
    unknown: int = 0,
) -> bytes:
    """A model of `kind`. Facts: sentencepiece_model.proto."""
    raw = b""
    parts = []
    for text, score, type_ in zip(tokens, scores, types, strict=True):
        piece = _bytes(1, text.encode()) + b"\x15" + struct.pack("<f", score) + _number(3, type_)
        parts.append(_bytes(1, piece))
    raw = b"".join(parts)
    trainer = _number(3, kind) + _number(35, int(_BYTE in types)) + _number(40, unknown)
    raw += _bytes(2, trainer)
    how = _bytes(1, b"identity") + _bytes(2, normalizer.charsmap)
    how += _number(3, int(normalizer.add_dummy_prefix))
    how += _number(4, int(normalizer.remove_extra_whitespaces)) + _number(5, 1)
    return raw + _bytes(3, how)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    raw = bytearray()
    while number > 127:
        raw.append(number & 127 | 128)
        number >>= 7
    raw.append(number)
    return bytes(raw)
