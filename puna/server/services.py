"""What the routes call: the service's doors as plain callables, so that tests can script each of
them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from puna.api.events import Event, Progress
from puna.api.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    PullRequest,
    PushRequest,
    ShowRequest,
)
from puna.api.responses import QueueResponse
from puna.api.texts import DetokenizeRequest, RerankRequest, TokenizeRequest
from puna.api.upkeep import PruneRequest, Updated, UpdateRequest, Verified, VerifyRequest
from puna.metrics import Metrics
from puna.server.image_urls import FetchImage
from puna.service.embedding import Embedded, Vector
from puna.service.response_store import ResponseStore
from puna.service.texts import Ranked

__all__ = ["Kit", "Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """One door per use case. Streams raise their validation errors when their first event is asked
    for.

    Rows and `show`'s answer are anything msgspec can write as a JSON object.
    """

    chat: Callable[[ChatRequest], AsyncGenerator[Event, None]]
    generate: Callable[[GenerateRequest], AsyncGenerator[Event, None]]
    count_tokens: Callable[[ChatRequest], Awaitable[int]]
    """Of the prompt that a chat's request makes."""
    embed: Callable[[EmbedRequest], Awaitable[Embedded]]
    embeddings: Callable[[EmbeddingsRequest], Awaitable[Vector]]
    rerank: Callable[[RerankRequest], Awaitable[Ranked]]
    tokenize: Callable[[TokenizeRequest], Awaitable[list[int]]]
    detokenize: Callable[[DetokenizeRequest], Awaitable[str]]
    tags: Callable[[], Awaitable[Sequence[object]]]
    running: Callable[[], Awaitable[Sequence[object]]]
    queue: Callable[[], Awaitable[QueueResponse]]
    show: Callable[[ShowRequest, str], Awaitable[object]]
    """The request and the client's User-Agent."""
    copy: Callable[[CopyRequest], Awaitable[None]]
    delete: Callable[[DeleteRequest], Awaitable[None]]
    has_blob: Callable[[str], Awaitable[bool]]
    """The digest as the client wrote it."""
    upload_blob: Callable[[str, AsyncIterator[bytes]], Awaitable[bool]]
    """The digest and the bytes; true when the blob is new."""
    create: Callable[[CreateRequest], AsyncIterator[Progress]]
    store: Callable[[], Awaitable[object]]
    prune: Callable[[PruneRequest], Awaitable[object]]
    verify: Callable[[VerifyRequest], AsyncIterator[Progress | Verified]]
    pull: Callable[[PullRequest], AsyncIterator[Progress]]
    push: Callable[[PushRequest], AsyncIterator[Progress]]
    update: Callable[[UpdateRequest], AsyncIterator[Progress | Updated]]
    local_name: Callable[[str], Awaitable[str]]
    """The model that answers for a name of another vendor's, which may be an alias."""
    aliases: Callable[[], Awaitable[Mapping[str, str]]]
    """Those that are listed, and when their models were modified."""
    metrics: Metrics
    stored: ResponseStore
    """What clients of /v1/responses come back to."""
    fetch_image: FetchImage | None = None
    """Where addresses of images are followed."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What a handler works with.

    `now` gives nanoseconds since 1970; `closing` is set when the server ends.
    """

    services: Services
    closing: asyncio.Event
    now: Callable[[], int]
