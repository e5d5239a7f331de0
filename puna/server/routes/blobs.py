"""HEAD and POST /api/blobs/{digest}."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from puna.errors import BlobNotFound
from puna.server.body import read_chunks
from puna.server.routes.replies import empty
from puna.server.services import Kit

__all__ = ["has", "upload"]


async def has(request: Request, kit: Kit) -> Response:
    """Whether a blob is here."""
    digest = request.path_params["digest"]
    if not await kit.services.has_blob(digest):
        raise BlobNotFound(digest)
    return empty()


async def upload(request: Request, kit: Kit) -> Response:
    """Take a blob's bytes: 201 when it is new, 200 when it was here."""
    digest = request.path_params["digest"]
    is_new = await kit.services.upload_blob(digest, read_chunks(request))
    return empty(201 if is_new else 200)
