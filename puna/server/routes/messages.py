"""POST /v1/messages and /v1/messages/count_tokens, of the Anthropic API.

Versions in the headers are taken as they come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp

from puna.api.anthropic import MessagesRequest
from puna.server.anthropic.reply import TokenCount, messages_wire
from puna.server.anthropic.request import check, to_chat
from puna.server.body import read_as, translate
from puna.server.clients import sign
from puna.server.faults import ANTHROPIC
from puna.server.image_urls import fill_images
from puna.server.services import Kit
from puna.server.streams import Reply, Wire

__all__ = ["count_tokens", "create"]


async def create(request: Request, kit: Kit) -> ASGIApp:
    """Answer a conversation."""
    asked = await read_as(MessagesRequest, request)
    check(asked)
    await fill_images(asked.messages, kit.services.fetch_image, request.receive, kit.closing)
    order = await translate(request, to_chat, asked)
    order.model = await kit.services.local_name(asked.model)
    sign(order, request)
    events = kit.services.chat(order)
    return Reply(events, messages_wire(asked), stream=asked.stream, closing=kit.closing)


async def count_tokens(request: Request, kit: Kit) -> ASGIApp:
    """Say how long a conversation is."""
    asked = await read_as(MessagesRequest, request)
    check(asked, counts=True)
    await fill_images(asked.messages, kit.services.fetch_image, request.receive, kit.closing)
    order = await translate(request, to_chat, asked)
    order.model = await kit.services.local_name(asked.model)

    async def count() -> AsyncIterator[int]:
        yield await kit.services.count_tokens(order)

    return Reply(count(), _COUNT, stream=False, closing=kit.closing)


_COUNT: Wire[int] = Wire(
    piece=lambda count: b"",
    whole=lambda counts: msgspec.json.encode(TokenCount(counts[0])),
    is_final=lambda count: True,
    is_alone=lambda count: True,
    envelope=ANTHROPIC,
)
