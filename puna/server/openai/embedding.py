"""The bytes of /v1/embeddings. Facts: compatibility spec, section 4."""

from __future__ import annotations

import asyncio
import base64
import sys
from array import array

import msgspec
from msgspec import Raw, Struct

from puna.api.openai import EmbeddingRequest
from puna.service.embedding import Embedded, Vector

__all__ = ["embedding_body"]

_AT_ONCE = 32  # vectors to write before others get a turn: a thousand of them take a second

_encode = msgspec.json.Encoder().encode


class EmbeddingRow(Struct, kw_only=True):
    """One vector: a list of numbers, or the text of its bytes."""

    object: str = "embedding"
    embedding: list[float] | str
    index: int


class EmbeddingUsage(Struct):
    """What the inputs took, in tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct, kw_only=True):
    """The reply."""

    object: str = "list"
    data: Raw
    model: str
    usage: EmbeddingUsage


async def embedding_body(asked: EmbeddingRequest, result: Embedded) -> bytes:
    """Write the vectors in the encoding that was asked for."""
    write = _base64 if asked.encoding_format.lower() == "base64" else _numbers
    rows = []
    for index, vector in enumerate(result.vectors):
        rows.append(_encode(EmbeddingRow(embedding=write(vector), index=index)))
        if not len(rows) % _AT_ONCE:
            await asyncio.sleep(0)
    return _encode(
        EmbeddingList(
            data=Raw(b"[%b]" % b",".join(rows)),
            model=asked.model,
            usage=EmbeddingUsage(result.prompt_tokens, result.prompt_tokens),
        )
    )


def _numbers(vector: Vector) -> list[float]:
    return vector.tolist()


def _base64(vector: Vector) -> str:
    """Little-endian, as the API has it."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
