"""POST /v1/audio/…, of the OpenAI API: no model that hears or speaks is supported yet."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp

from puna.errors import NotBuilt
from puna.server.body import drain
from puna.server.services import Kit

__all__ = ["speech", "transcriptions", "translations"]

UPLOAD_LIMIT = 64 * 1024 * 1024
"""Bytes of a recording."""


async def transcriptions(request: Request, kit: Kit) -> ASGIApp:
    """Write down what is said in a recording."""
    return await _refuse(request, "audio cannot be transcribed: no audio models are supported yet")


async def translations(request: Request, kit: Kit) -> ASGIApp:
    """Write down in English what is said in a recording."""
    return await _refuse(request, "audio cannot be translated: no audio models are supported yet")


async def speech(request: Request, kit: Kit) -> ASGIApp:
    """Speak a text."""
    return await _refuse(request, "texts cannot be spoken: no audio models are supported yet")


async def _refuse(request: Request, why: str) -> ASGIApp:
    """The body is read first: a client that is still sending would not hear the answer."""
    await drain(request, UPLOAD_LIMIT)
    raise NotBuilt(why)
