"""What is installed and what is loaded: tags, ps, show, copy, delete, create, pull, push."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from puna.api.requests import (
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    PullRequest,
    PushRequest,
    ShowRequest,
)
from puna.api.responses import RunningResponse, TagsResponse
from puna.server.body import read_as
from puna.server.native import progress_wire
from puna.server.routes.replies import empty, json_reply
from puna.server.services import Kit
from puna.server.streams import Reply

__all__ = ["copy", "create", "delete", "ps", "pull", "push", "queue", "show", "tags"]


async def tags(request: Request, kit: Kit) -> Response:
    """The installed models."""
    return json_reply(TagsResponse(models=await kit.services.tags()))


async def ps(request: Request, kit: Kit) -> Response:
    """The loaded models."""
    return json_reply(RunningResponse(models=await kit.services.running()))


async def queue(request: Request, kit: Kit) -> Response:
    """Who waits, and for what."""
    return json_reply(await kit.services.queue())


async def show(request: Request, kit: Kit) -> Response:
    """Everything about one model."""
    order = await read_as(ShowRequest, request)
    return json_reply(await kit.services.show(order, request.headers.get("user-agent", "")))


async def copy(request: Request, kit: Kit) -> Response:
    """A second name for a model."""
    await kit.services.copy(await read_as(CopyRequest, request))
    return empty()


async def delete(request: Request, kit: Kit) -> Response:
    """Take a name away, and the blobs nobody else needs."""
    await kit.services.delete(await read_as(DeleteRequest, request))
    return empty()


async def create(request: Request, kit: Kit) -> ASGIApp:
    """Make a model, telling of its progress."""
    order = await read_as(CreateRequest, request)
    steps = kit.services.create(order)
    return Reply(steps, progress_wire(), stream=order.stream is not False, closing=kit.closing)


async def pull(request: Request, kit: Kit) -> ASGIApp:
    """Fetch a model from its registry, telling of the progress."""
    order = await read_as(PullRequest, request)
    steps = kit.services.pull(order)
    return Reply(steps, progress_wire(), stream=order.stream is not False, closing=kit.closing)


async def push(request: Request, kit: Kit) -> ASGIApp:
    """Bring a model to its registry, telling of the progress."""
    order = await read_as(PushRequest, request)
    steps = kit.services.push(order)
    return Reply(steps, progress_wire(), stream=order.stream is not False, closing=kit.closing)
