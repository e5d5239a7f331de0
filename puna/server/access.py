"""One log line per request: status, time taken, client, method, path.

Never the query or the body.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.fmt import format_duration
from puna.log import fields

__all__ = ["AccessLog"]

log = logging.getLogger(__name__)

HUNG_UP = 499


class AccessLog:
    """The outermost layer of the app. `clock` gives nanoseconds."""

    def __init__(self, app: ASGIApp, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write its line when it is over."""
        started = self._clock()
        status = HUNG_UP

        def noting(message: Message) -> Awaitable[None]:
            # not a coroutine of its own: this runs once per token
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            client = scope.get("client") or ("", 0)
            log.info(
                "request",
                extra=fields(
                    status=status,
                    latency=format_duration(self._clock() - started),
                    client=client[0],
                    method=scope["method"],
                    path=scope["path"],
                ),
            )
