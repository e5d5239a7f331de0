"""POST /v1/audio/…, of the OpenAI API: what is said in a recording, by models that hear. None
speaks.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp

from puna.errors import NotBuilt
from puna.server.body import drain
from puna.server.clients import sign
from puna.server.forms import read_form
from puna.server.openai.transcription import Task, read_order, transcript_wire
from puna.server.services import Kit
from puna.server.streams import Reply

__all__ = ["speech", "transcriptions", "translations"]

UPLOAD_LIMIT = 64 * 1024 * 1024
"""Bytes of a form with a recording."""


async def transcriptions(request: Request, kit: Kit) -> ASGIApp:
    """Write down what is said in a recording."""
    return await _write_down(request, kit, "transcribe")


async def translations(request: Request, kit: Kit) -> ASGIApp:
    """Write down in English what is said in a recording."""
    return await _write_down(request, kit, "translate")


async def speech(request: Request, kit: Kit) -> ASGIApp:
    """Speak a text. The body is read first: a client that is still sending would not hear the
    answer."""
    await drain(request, UPLOAD_LIMIT)
    raise NotBuilt("texts cannot be spoken: no models that speak are supported yet")


async def _write_down(request: Request, kit: Kit, task: Task) -> ASGIApp:
    order = await read_order(await read_form(request, UPLOAD_LIMIT), task)
    order.chat.model = await kit.services.local_name(order.chat.model)
    sign(order.chat, request)
    answer = kit.services.chat(order.chat)
    return Reply(answer, transcript_wire(order), stream=order.stream, closing=kit.closing)
