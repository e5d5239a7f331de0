"""Services that say what they are told, and an app made of them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from puna.api.events import Event, Progress
from puna.api.requests import (
    ChatRequest,
    DeleteRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
)
from puna.api.responses import QueueResponse, WaitingRequest
from puna.api.texts import DetokenizeRequest, RerankRequest, TokenizeRequest
from puna.api.upkeep import PruneRequest
from puna.config import Settings
from puna.errors import BadRequest, ModelNotFound
from puna.metrics import Metrics
from puna.server.app import make_app
from puna.server.bodies import Bodies
from puna.server.checks import HostRules, IPAddress, parse_origins
from puna.server.keys import Keys
from puna.server.services import Services
from puna.service.embedding import Embedded, Vector
from puna.service.response_store import ResponseStore
from puna.service.texts import Ranked
from tests.fakes.asgi import Client

T = TypeVar("T")

NOON = 1_767_268_800_120_000_000
"""2026-01-01T12:00:00.12Z in nanoseconds."""


def said(*script: Event | Exception) -> Callable[[object], AsyncGenerator[Event, None]]:
    """A chat or generate that yields the events and raises the exceptions of a script."""

    async def events(order: object) -> AsyncGenerator[Event, None]:
        for item in script:
            await asyncio.sleep(0)
            if isinstance(item, Exception):
                raise item
            yield item

    return events


def progressed(*script: Progress | Exception) -> Callable[[object], AsyncIterator[Progress]]:
    """A create that yields the steps and raises the exceptions of a script."""

    async def steps(order: object) -> AsyncIterator[Progress]:
        for item in script:
            await asyncio.sleep(0)
            if isinstance(item, Exception):
                raise item
            yield item

    return steps


class Held:
    """A chat that yields its events and then waits for ever; it knows when it was cancelled and
    cleaned up."""

    def __init__(self, *script: Event) -> None:
        self.script = script
        self.reached = asyncio.Event()
        self.cancelled = False
        self.cleaned = asyncio.Event()

    async def __call__(self, order: object) -> AsyncGenerator[Event, None]:
        try:
            for item in self.script:
                yield item
            self.reached.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            await asyncio.sleep(0)  # a clean-up that takes a turn of the loop
            self.cleaned.set()


async def _chat(order: ChatRequest) -> AsyncGenerator[Event, None]:
    if not order.model:
        raise BadRequest("model is required")
    raise ModelNotFound(order.model)
    yield


async def _generate(order: GenerateRequest) -> AsyncGenerator[Event, None]:
    raise ModelNotFound(order.model)
    yield


async def _embed(order: EmbedRequest) -> Embedded:
    raise ModelNotFound(order.model)


async def _embeddings(order: EmbeddingsRequest) -> Vector:
    raise ModelNotFound(order.model)


async def _rerank(order: RerankRequest) -> Ranked:
    raise ModelNotFound(order.model)


async def _tokenize(order: TokenizeRequest) -> list[int]:
    raise ModelNotFound(order.model)


async def _detokenize(order: DetokenizeRequest) -> str:
    raise ModelNotFound(order.model)


async def _rows() -> Sequence[object]:
    return []


async def _nothing(order: object) -> None:
    return None


async def _delete(order: DeleteRequest) -> None:
    if not order.target:
        raise BadRequest("model is required")


async def _show(order: object, user_agent: str) -> object:
    return {"modelfile": "FROM x", "user_agent": user_agent}


async def _has(digest: str) -> bool:
    return False


async def _upload(digest: str, chunks: AsyncIterator[bytes]) -> bool:
    return True


async def _store() -> object:
    return {"models": "/nowhere"}


async def _prune(order: PruneRequest) -> object:
    return {"files": [], "held": 0}


async def _count_tokens(order: ChatRequest) -> int:
    raise ModelNotFound(order.model)


async def _queue() -> QueueResponse:
    row = WaitingRequest(position=1, model="m", priority="high", waited_ms=5, reason="busy")
    return QueueResponse(waiting=[row], limit=512, running=1, loaded=1, loading=0)


async def _same(name: str) -> str:
    return name


async def _no_names() -> dict[str, str]:
    return {}


NOBODY = Services(
    chat=_chat,
    generate=_generate,
    count_tokens=_count_tokens,
    embed=_embed,
    embeddings=_embeddings,
    rerank=_rerank,
    tokenize=_tokenize,
    detokenize=_detokenize,
    tags=_rows,
    running=_rows,
    queue=_queue,
    show=_show,
    copy=_nothing,
    delete=_delete,
    has_blob=_has,
    upload_blob=_upload,
    pull=progressed(Progress(status="success")),
    push=progressed(Progress(status="success")),
    update=progressed(Progress(status="success")),
    create=progressed(Progress(status="success")),
    store=_store,
    prune=_prune,
    verify=progressed(Progress(status="success")),
    local_name=_same,
    aliases=_no_names,
    metrics=Metrics(),
    stored=ResponseStore(Path("nowhere"), 0, 0),
)
"""Services without a model."""


def nobody_is_local(address: IPAddress) -> bool:
    return False


def client(
    *,
    services: Services = NOBODY,
    settings: Settings | None = None,
    loopback: bool = True,
    closing: asyncio.Event | None = None,
    host: str = "127.0.0.1:11434",
    bodies: Bodies | None = None,
    keys: Keys | None = None,
    **doors: Any,
) -> Client:
    """A client of an app; `doors` replace single services."""
    app = make_app(
        dataclasses.replace(services, **doors),
        parse_origins((settings or Settings()).origins),
        HostRules(loopback, "workbench", nobody_is_local),
        closing or asyncio.Event(),
        now=lambda: NOON,
        bodies=bodies,
        keys=keys,
    )
    return Client(app, host)


def run(scene: Coroutine[Any, Any, T]) -> T:
    """Run a scene to its end, which must come within a minute."""

    async def limited() -> T:
        async with asyncio.timeout(60):
            return await scene

    return asyncio.run(limited())
