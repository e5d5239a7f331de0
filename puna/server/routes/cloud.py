"""Routes of an account and of services in the reference's cloud, answered as without one.

Facts: API spec, section 20.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp

from puna.api.cloud import Recommendation, Recommendations, WebFetchRequest, WebSearchRequest
from puna.errors import CloudDisabled, SignedOut
from puna.server.body import read_as
from puna.server.routes.replies import json_reply
from puna.server.services import Kit

__all__ = ["me", "recommendations", "sign_out", "web_fetch", "web_search"]


_RECOMMENDED = Recommendations(
    recommendations=[
        Recommendation(
            model="cria", description="The small model that comes with Puna, without a network"
        )
    ]
)


async def me(request: Request, kit: Kit) -> ASGIApp:
    """Nobody is signed in."""
    raise SignedOut("unauthorized")


async def sign_out(request: Request, kit: Kit) -> ASGIApp:
    """Nobody is signed in."""
    raise SignedOut("you are not currently signed in")


async def web_search(request: Request, kit: Kit) -> ASGIApp:
    """There is nothing to search with."""
    await read_as(WebSearchRequest, request)
    raise CloudDisabled("web search is unavailable")


async def web_fetch(request: Request, kit: Kit) -> ASGIApp:
    """There is nothing to fetch with."""
    await read_as(WebFetchRequest, request)
    raise CloudDisabled("web fetch is unavailable")


async def recommendations(request: Request, kit: Kit) -> ASGIApp:
    """What comes with Puna."""
    return json_reply(_RECOMMENDED)
