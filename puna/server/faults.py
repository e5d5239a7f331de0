"""From an exception to what the client reads: a status and a text, in the envelope of the API that
was called.

The wide `except` of the route boundary is here and nowhere else in the server.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import Struct

from puna.errors import Busy, Closing, EngineError, KeyWanted, PunaError
from puna.log import REQUEST_ID, fields

__all__ = [
    "ANTHROPIC",
    "CLOSING",
    "ENVELOPES",
    "INTERNAL",
    "KEY_WANTED",
    "NATIVE",
    "OPENAI",
    "Envelope",
    "Fault",
    "attempt",
    "envelope_for",
]

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, in the client's terms; `code` and `param` where they are known.

    `retry_after`: seconds after which it may be worth trying again, 0 where that says nothing.
    """

    status: int
    message: str
    code: str = ""
    param: str = ""
    retry_after: int = 0


BUSY_SECONDS = 5
"""When to try again where too many wait."""
INTERNAL = Fault(500, "internal server error")
KEY_WANTED = Fault(KeyWanted.status, str(KeyWanted()), KeyWanted.code)
CLOSING = Fault(Closing.status, str(Closing()), retry_after=10)


@dataclass(frozen=True, slots=True)
class Envelope:
    """How one API writes a fault: as a whole body, and as the last piece of a stream. `kind` is the
    type of the body, `id_header` the header by which its clients know a request,
    `api` the API's name.
    """

    body: Callable[[Fault], bytes]
    piece: Callable[[Fault], bytes]
    kind: type[Struct]
    id_header: bytes = b"x-request-id"
    api: str = "native"


class NativeError(Struct, frozen=True):
    """An error of the native API."""

    error: str


class AnthropicError(Struct, frozen=True):
    """What went wrong, and which kind of error it is."""

    type: str
    message: str


class AnthropicFault(Struct, frozen=True, tag_field="type", tag="error"):
    """An error of the Anthropic API, also as an event of a stream."""

    error: AnthropicError
    request_id: str


class OpenAIError(Struct, frozen=True):
    """What went wrong; the field and the reason for programs where they are known."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIFault(Struct, frozen=True):
    """An error of the OpenAI API, also as an event of a stream."""

    error: OpenAIError


def _native_body(fault: Fault) -> bytes:
    return msgspec.json.encode(NativeError(fault.message))


def _native_line(fault: Fault) -> bytes:
    return _native_body(fault) + b"\n"


NATIVE = Envelope(_native_body, _native_line, NativeError)

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def _anthropic_body(fault: Fault) -> bytes:
    error = AnthropicError(_ANTHROPIC_TYPES.get(fault.status, "api_error"), fault.message)
    return msgspec.json.encode(AnthropicFault(error, REQUEST_ID.get()))


def _anthropic_event(fault: Fault) -> bytes:
    return b"event: error\ndata: %b\n\n" % _anthropic_body(fault)


ANTHROPIC = Envelope(
    _anthropic_body, _anthropic_event, AnthropicFault, b"request-id", api="anthropic"
)

_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
}


def _openai_body(fault: Fault) -> bytes:
    kind = _OPENAI_TYPES.get(fault.status, "api_error")
    error = OpenAIError(fault.message, kind, fault.param or None, fault.code or None)
    return msgspec.json.encode(OpenAIFault(error))


def _openai_piece(fault: Fault) -> bytes:
    return b"data: %b\n\n" % _openai_body(fault)


OPENAI = Envelope(_openai_body, _openai_piece, OpenAIFault, api="openai")

ENVELOPES = (("/v1/messages", ANTHROPIC), ("/v1/", OPENAI), ("/", NATIVE))
"""Path prefix to envelope; the first row that fits counts, so longer prefixes come first."""


def envelope_for(path: str) -> Envelope:
    """The envelope of the API that `path` belongs to."""
    return next((row for prefix, row in ENVELOPES if path.startswith(prefix)), NATIVE)


async def attempt(work: Awaitable[T]) -> T | Fault:
    """Await `work`; whatever it raises becomes a Fault. Cancellation goes through."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - the route boundary
        return _fault_of(error)


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, PunaError):
        if isinstance(error, EngineError):
            log.error("request failed", extra=fields(error=error))
        message = str(error) or type(error).__name__
        retry_after = BUSY_SECONDS if isinstance(error, Busy) else 0
        return Fault(error.status, message, error.code, error.param, retry_after)
    log.error("unexpected error", exc_info=error)
    return INTERNAL
