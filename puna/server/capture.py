"""What clients ask of models, kept in files for whoever looks for a mistake: the setting
OLLAMA_DEBUG_LOG_REQUESTS.

Facts: serving spec, section 8.3. The files hold what users wrote; headers of theirs are not kept.
"""

from __future__ import annotations

import itertools
import logging
import os
import shlex
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.threads import in_thread

__all__ = ["CAPTURED", "Capture"]

log = logging.getLogger(__name__)

CAPTURED = frozenset(
    {
        "/api/generate",
        "/api/chat",
        "/api/embed",
        "/api/embeddings",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/messages",
    }
)
"""The routes whose bodies are kept."""

_PRIVATE = 0o600
_KEPT_HEADERS = ("content-type", "content-encoding")


class Capture:
    """Puts itself before an app and writes each body, and a script that sends it again, when the
    request is over.
    """

    def __init__(
        self, app: ASGIApp, folder: Path | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        """`folder` is a new private one where none is given."""
        self._app = app
        self._folder = folder or Path(tempfile.mkdtemp(prefix="ollama-request-logs-"))
        self._now = now or (lambda: datetime.now(UTC))
        self._numbers = itertools.count(1)
        log.warning("requests are kept, with all that users write in them: %s", self._folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["path"] not in CAPTURED or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []

        async def noting() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                chunks.append(message.get("body", b""))
            return message

        stem = f"{self._now():%Y%m%dT%H%M%S.%f}-{next(self._numbers):06d}_{_route(scope)}"
        try:
            await self._app(scope, noting, send)
        finally:
            if chunks:  # nobody reads the body of who may not ask
                await in_thread(self._write, stem, chunks, _script(scope, stem))

    def _write(self, stem: str, chunks: list[bytes], script: str) -> None:
        try:
            _write_private(self._folder / f"{stem}_body.json", b"".join(chunks))
            _write_private(self._folder / f"{stem}_request.sh", script.encode())
        except OSError as cause:
            log.warning("a request could not be kept: %s", cause)


def _route(scope: Scope) -> str:
    return str(scope["path"]).strip("/").replace("/", "_")


def _script(scope: Scope, stem: str) -> str:
    """What sends the body again. Nothing of it is the client's unquoted."""
    host, port = scope.get("server") or ("127.0.0.1", 11434)
    where = f"[{host}]" if ":" in str(host) else host
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name.decode("latin-1") in _KEPT_HEADERS
    }
    parts = ["curl", "-sS", "-X", "POST", f"http://{where}:{port}{scope['path']}"]
    for name, value in headers.items():
        parts += ["-H", f"{name}: {value}"]
    body = f'--data-binary @"$(dirname "$0")"/{shlex.quote(stem)}_body.json'
    return f"#!/bin/sh\n{shlex.join(parts)} {body}\n"


def _write_private(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        file.write(data)
