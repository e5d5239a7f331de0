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
from puna.server.faults import envelope_for

__all__ = ["ROUTE", "AccessLog"]

log = logging.getLogger(__name__)

HUNG_UP = 499
ROUTE = "puna.route"
"""Where the scope has the path of the route table that a request came to."""
_NO_ROUTE = "other"


class AccessLog:
    """The outermost layer of the app. `clock` gives nanoseconds.

    `count` is told of each request, too: API, route, status, seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        count: Callable[[str, str, int, float], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._app = app
        self._count = count
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
            took = self._clock() - started
            client = scope.get("client") or ("", 0)
            api = envelope_for(scope["path"]).api
            self._count(api, scope.get(ROUTE, _NO_ROUTE), status, took / 1e9)
            log.info(
                "request",
                extra=fields(
                    status=status,
                    latency=format_duration(took),
                    client=client[0],
                    method=scope["method"],
                    path=scope["path"],
                ),
            )
