"""GET /openapi.json and /docs: what this server offers, for programs and for people.

Both are made when they are first asked for, in a thread.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from puna.server.openapi.document import written
from puna.server.openapi.page import POLICY, page
from puna.server.services import Kit
from puna.server.streams import JSON
from puna.threads import in_thread

__all__ = ["docs", "openapi"]

_PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


async def openapi(request: Request, kit: Kit) -> Response:
    """The OpenAPI document."""
    return Response(await in_thread(written), headers={"content-type": JSON.decode()})


async def docs(request: Request, kit: Kit) -> Response:
    """The page."""
    return Response(await in_thread(page), headers=_PAGE_HEADERS)
