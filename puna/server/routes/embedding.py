"""POST /api/embed and /api/embeddings.

A client that hangs up ends the work. Facts: API spec, sections 9 and 10.
"""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Raw
from starlette.requests import Request
from starlette.types import ASGIApp

from puna.api.requests import EmbeddingsRequest, EmbedRequest
from puna.api.responses import EmbeddingsResponse, EmbedResponse
from puna.server.body import read_as
from puna.server.clients import sign
from puna.server.faults import NATIVE
from puna.server.routes.replies import worked_reply
from puna.server.services import Kit
from puna.service.embedding import Embedded, Vector

__all__ = ["embed", "embeddings"]

_AT_ONCE = 32  # vectors to write before others get a turn: a thousand of them take a second

_encode = msgspec.json.Encoder().encode


async def embed(request: Request, kit: Kit) -> ASGIApp:
    """A vector for each input."""
    order = await read_as(EmbedRequest, request)
    sign(order, request)

    async def body() -> bytes:
        return await _embed_body(order.model, await kit.services.embed(order))

    return worked_reply(body, kit, NATIVE)


async def embeddings(request: Request, kit: Kit) -> ASGIApp:
    """The vector of one prompt, in the older form."""
    order = await read_as(EmbeddingsRequest, request)
    sign(order, request)

    async def body() -> bytes:
        vector = Raw(_json(await kit.services.embeddings(order)))
        return _encode(EmbeddingsResponse(embedding=vector))

    return worked_reply(body, kit, NATIVE)


async def _embed_body(model: str, result: Embedded) -> bytes:
    written: list[bytes] = []
    for number, vector in enumerate(result.vectors, 1):
        written.append(_json(vector))
        if not number % _AT_ONCE:
            await asyncio.sleep(0)
    reply = EmbedResponse(
        model=model,
        embeddings=Raw(b"[%b]" % b",".join(written)),
        total_duration=result.total_ns,
        load_duration=result.load_ns,
        prompt_eval_count=result.prompt_tokens,
    )
    return _encode(reply)


def _json(vector: Vector) -> bytes:
    return _encode(vector.tolist())
