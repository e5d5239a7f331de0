"""Is anybody there, and which version (API spec, section 6)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from puna import __version__
from puna.api.responses import CloudStatus, HealthResponse, StatusResponse, VersionResponse
from puna.api.version import API_VERSION
from puna.metrics import CONTENT_TYPE
from puna.server.routes.replies import json_reply
from puna.server.services import Kit

__all__ = ["health", "metrics", "root", "status", "version"]


async def root(request: Request, kit: Kit) -> Response:
    """Clients probe for exactly this text."""
    return PlainTextResponse("Ollama is running")


async def health(request: Request, kit: Kit) -> Response:
    """For whoever watches over servers, in the form of llama.cpp's."""
    return json_reply(HealthResponse())


async def version(request: Request, kit: Kit) -> Response:
    """The version of the API that is spoken here, and Puna's own."""
    return json_reply(VersionResponse(version=API_VERSION, puna=__version__))


async def metrics(request: Request, kit: Kit) -> Response:
    """What was counted, for Prometheus."""
    return Response(kit.services.metrics.text(), headers={"content-type": CONTENT_TYPE})


async def status(request: Request, kit: Kit) -> Response:
    """There is no cloud here; `env` is the answer that no client offers to change."""
    return json_reply(StatusResponse(cloud=CloudStatus(disabled=True, source="env")))
