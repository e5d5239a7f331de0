"""POST /v1/rerank and its aliases, /api/tokenize and /api/detokenize.

The form of reranking is Jina's and Cohere's. A client that hangs up ends the work.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.types import ASGIApp

from puna.api.texts import (
    DetokenizeRequest,
    DetokenizeResponse,
    RankedDocument,
    RerankRequest,
    RerankResponse,
    RerankResult,
    RerankUsage,
    TokenizeRequest,
    TokenizeResponse,
)
from puna.server.body import read_as
from puna.server.clients import sign
from puna.server.faults import envelope_for
from puna.server.services import Kit
from puna.server.streams import Reply, Wire
from puna.service.texts import Ranked

__all__ = ["detokenize", "rerank", "tokenize"]


async def rerank(request: Request, kit: Kit) -> ASGIApp:
    """Sort documents by how well they fit a query."""
    order = await read_as(RerankRequest, request)
    asked, order.model = order.model, await kit.services.local_name(order.model)
    sign(order, request)

    async def body() -> object:
        return _ranking(asked, order, await kit.services.rerank(order))

    return _reply(body, request, kit)


async def tokenize(request: Request, kit: Kit) -> ASGIApp:
    """The tokens of a text."""
    order = await read_as(TokenizeRequest, request)

    async def body() -> object:
        return TokenizeResponse(await kit.services.tokenize(order))

    return _reply(body, request, kit)


async def detokenize(request: Request, kit: Kit) -> ASGIApp:
    """The text of tokens."""
    order = await read_as(DetokenizeRequest, request)

    async def body() -> object:
        return DetokenizeResponse(await kit.services.detokenize(order))

    return _reply(body, request, kit)


def _ranking(model: str, order: RerankRequest, ranked: Ranked) -> RerankResponse:
    texts = ranked.documents
    results = [
        RerankResult(
            index=index,
            relevance_score=score,
            document=RankedDocument(texts[index]) if order.return_documents else UNSET,
        )
        for index, score in ranked.results
    ]
    usage = RerankUsage(ranked.prompt_tokens, ranked.prompt_tokens)
    number = f"rerank-{secrets.token_hex(16)}"
    return RerankResponse(id=number, model=model, results=results, usage=usage)


def _reply(body: Callable[[], Awaitable[object]], request: Request, kit: Kit) -> ASGIApp:
    async def once() -> AsyncIterator[object]:
        yield await body()

    wire: Wire[object] = Wire(
        piece=msgspec.json.encode,
        whole=lambda bodies: msgspec.json.encode(bodies[0]),
        is_final=lambda each: True,
        is_alone=lambda each: True,
        envelope=envelope_for(request.scope["path"]),
    )
    return Reply(once(), wire, stream=False, closing=kit.closing)
