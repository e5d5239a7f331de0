"""The small answers that handlers give."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from puna.server.streams import JSON

__all__ = ["empty", "json_reply"]


def json_reply(value: object) -> Response:
    """One JSON object."""
    return Response(msgspec.json.encode(value), headers={"content-type": JSON.decode()})


def empty(status: int = 200) -> Response:
    """A status and nothing more."""
    return Response(status_code=status)
