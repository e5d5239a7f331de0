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

from puna.errors import EngineError, PunaError
from puna.log import fields

__all__ = [
    "CLOSING",
    "ENVELOPES",
    "INTERNAL",
    "NATIVE",
    "Envelope",
    "Fault",
    "attempt",
    "envelope_for",
]

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, in the client's terms."""

    status: int
    message: str


INTERNAL = Fault(500, "internal server error")
CLOSING = Fault(503, "server is shutting down")


@dataclass(frozen=True, slots=True)
class Envelope:
    """How one API writes a fault: as a whole body, and as the last piece of a stream."""

    body: Callable[[Fault], bytes]
    piece: Callable[[Fault], bytes]


def _native_body(fault: Fault) -> bytes:
    return msgspec.json.encode({"error": fault.message})


def _native_line(fault: Fault) -> bytes:
    return _native_body(fault) + b"\n"


NATIVE = Envelope(_native_body, _native_line)

ENVELOPES = (("/", NATIVE),)
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
        return Fault(error.status, str(error) or type(error).__name__)
    log.error("unexpected error", exc_info=error)
    return INTERNAL
