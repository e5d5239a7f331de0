"""POST /api/generate and /api/chat."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp

from puna.api.requests import ChatRequest, GenerateRequest
from puna.server.body import read_as
from puna.server.clients import sign
from puna.server.native import chat_wire, generate_wire
from puna.server.services import Kit
from puna.server.streams import Reply

__all__ = ["chat", "generate"]


async def generate(request: Request, kit: Kit) -> ASGIApp:
    """Continue a prompt."""
    order = await read_as(GenerateRequest, request)
    sign(order, request)
    events = kit.services.generate(order)
    wire = generate_wire(order.model, kit.now)
    return Reply(events, wire, stream=order.stream is not False, closing=kit.closing)


async def chat(request: Request, kit: Kit) -> ASGIApp:
    """Answer a conversation."""
    order = await read_as(ChatRequest, request)
    sign(order, request)
    events = kit.services.chat(order)
    wire = chat_wire(order.model, kit.now)
    return Reply(events, wire, stream=order.stream is not False, closing=kit.closing)
