"""POST /v1/rerank and its aliases, /api/tokenize and /api/detokenize.

The form of reranking is Jina's and Cohere's. A client that hangs up ends the work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp

from puna.api.decode import decode
from puna.api.texts import DetokenizeRequest, RerankRequest, TokenizeRequest
from puna.server.body import read_body
from puna.server.faults import envelope_for
from puna.server.services import Kit
from puna.server.streams import Reply, Wire
from puna.service.texts import Ranked

__all__ = ["detokenize", "rerank", "tokenize"]


async def rerank(request: Request, kit: Kit) -> ASGIApp:
    """Sort documents by how well they fit a query."""
    order = decode(RerankRequest, await read_body(request))

    async def body() -> object:
        return _ranking(order, await kit.services.rerank(order))

    return _reply(body, request, kit)


async def tokenize(request: Request, kit: Kit) -> ASGIApp:
    """The tokens of a text."""
    order = decode(TokenizeRequest, await read_body(request))

    async def body() -> object:
        return {"tokens": await kit.services.tokenize(order)}

    return _reply(body, request, kit)


async def detokenize(request: Request, kit: Kit) -> ASGIApp:
    """The text of tokens."""
    order = decode(DetokenizeRequest, await read_body(request))

    async def body() -> object:
        return {"text": await kit.services.detokenize(order)}

    return _reply(body, request, kit)


def _ranking(order: RerankRequest, ranked: Ranked) -> object:
    results: list[dict[str, object]] = [
        {"index": index, "relevance_score": score} for index, score in ranked.results
    ]
    if order.return_documents:
        for result, (index, _) in zip(results, ranked.results, strict=True):
            result["document"] = {"text": ranked.documents[index]}
    used = ranked.prompt_tokens
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {"model": order.model, "object": "list", "results": results, "usage": usage}


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
