"""The routes of /v1/responses: making them, and coming back to those that are stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from puna.api.events import Done, Event
from puna.api.openai_responses import ResponsesRequest
from puna.errors import BadRequest, InvalidField
from puna.fmt import SECOND
from puna.server.body import read_as, translate
from puna.server.clients import client_of, sign
from puna.server.faults import OPENAI
from puna.server.image_urls import with_images
from puna.server.openai.replies import IDLE, encode
from puna.server.openai.responses.history import earlier_items, item_page, kept_of, resolved
from puna.server.openai.responses.items import Item, read_input
from puna.server.openai.responses.order import Asked, check_request, read_request
from puna.server.openai.responses.shapes import Deleted, InputTokens, make_response
from puna.server.openai.responses.story import Story
from puna.server.routes.replies import json_reply, worked_reply
from puna.server.services import Kit
from puna.server.streams import EVENT_STREAM, Reply, Wire

__all__ = ["cancel", "create", "delete", "input_items", "input_tokens", "retrieve"]


async def create(request: Request, kit: Kit) -> ASGIApp:
    """Answer what was said, and what was said before if the client says after which response."""
    order, items, asked = await _read(request, kit)
    client, stored = client_of(request), kit.services.stored
    asked.order.priority = order.priority
    sign(asked.order, request)
    is_stored = order.store and stored.is_on
    response = make_response(order, kit.now() // SECOND, is_stored=is_stored)
    story = Story(response, asked.tools, lambda: kit.now() // SECOND, stream=order.stream)

    async def keep() -> None:
        if is_stored:
            await stored.keep(client, kept_of(response, items))

    events = kit.services.chat(asked.order)
    return Reply(_told(events, story, keep), _wire(story), stream=order.stream, closing=kit.closing)


async def _read(request: Request, kit: Kit) -> tuple[ResponsesRequest, list[Item], Asked]:
    """What a request says, its items without references, and the chat that it asks for."""
    order = await read_as(ResponsesRequest, request)
    check_request(order)
    client, stored = client_of(request), kit.services.stored
    items = await resolved(stored, client, read_input(order.input))
    earlier = await earlier_items(stored, client, order.previous_response_id)
    shown = await with_images(
        [earlier, items], kit.services.fetch_image, request.receive, kit.closing
    )
    asked = await translate(request, read_request, order, *shown)
    asked.order.model = await kit.services.local_name(order.model)
    return order, items, asked


async def _told(
    events: AsyncGenerator[Event, None], story: Story, keep: Callable[[], Awaitable[None]]
) -> AsyncGenerator[bytes, None]:
    """The pieces of the stream. Before the client learns of its end, the response is stored: it may
    be asked for at once.
    """
    async with aclosing(events) as source:
        async for event in source:
            piece = story.piece(event)
            if isinstance(event, Done):
                await keep()
            yield piece


def _wire(story: Story) -> Wire[bytes]:
    return Wire(
        piece=bytes,
        whole=lambda pieces: story.whole(),
        is_final=lambda piece: story.is_over,
        is_alone=lambda piece: story.is_rendered,
        envelope=replace(OPENAI, piece=story.failed),
        stream_type=EVENT_STREAM,
        headers=((b"cache-control", b"no-cache"),),
        idle=IDLE,
    )


async def input_tokens(request: Request, kit: Kit) -> ASGIApp:
    """Say how long the input of a response would be."""
    _, _, asked = await _read(request, kit)

    async def body() -> bytes:
        count = await kit.services.count_tokens(asked.order)
        return encode(InputTokens(input_tokens=count))

    return worked_reply(body, kit, OPENAI)


async def retrieve(request: Request, kit: Kit) -> ASGIApp:
    """A stored response, as it was answered."""
    if request.query_params.get("stream") == "true":
        raise InvalidField("stored responses are not streamed", "stream", "unsupported_parameter")
    body = await kit.services.stored.body(client_of(request), request.path_params["id"])
    return Response(body, headers={"content-type": "application/json"})


async def delete(request: Request, kit: Kit) -> ASGIApp:
    """Forget a stored response."""
    response = request.path_params["id"]
    await kit.services.stored.delete(client_of(request), response)
    return json_reply(Deleted(id=response))


async def cancel(request: Request, kit: Kit) -> ASGIApp:
    """Refused for every response: those that are stored are complete."""
    await kit.services.stored.body(client_of(request), request.path_params["id"])
    raise BadRequest("Cannot cancel a synchronous response.")


async def input_items(request: Request, kit: Kit) -> ASGIApp:
    """The items that a stored response answers, in pages."""
    items = await kit.services.stored.inputs(client_of(request), request.path_params["id"])
    return json_reply(item_page(items, request.query_params))
