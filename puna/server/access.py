"""What is known of each request from outside: its id, and at its end one log line with status, time
taken, client, method and path. Never the query or the body.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.fmt import format_duration
from puna.log import REQUEST_ID, fields
from puna.server.faults import envelope_for
from puna.server.traces import Tracer
from puna.tracing import LISTENER

__all__ = ["ROUTE", "AccessLog", "request_id"]

log = logging.getLogger(__name__)

HUNG_UP = 499
ROUTE = "puna.route"
"""Where the scope has the path of the route table that a request came to."""
_NO_ROUTE = "other"
_ID_HEADER = b"x-request-id"
_MOST_ID = 128
_UNFIT = re.compile(rb"[^A-Za-z0-9._~:/+=@-]")


def request_id(scope: Scope) -> str:
    """The id that the client gave its request, as far as it is fit for headers and log lines, else
    one of ours.
    """
    given = next((value for name, value in scope["headers"] if name == _ID_HEADER), b"")
    fit = _UNFIT.sub(b"", given[: 4 * _MOST_ID])[:_MOST_ID]
    return fit.decode() or f"req_{secrets.token_hex(12)}"


class AccessLog:
    """The outermost layer of the app. `clock` gives nanoseconds.

    `count` is told of each request, too: API, route, status, seconds. `tracer` traces them.
    """

    def __init__(
        self,
        app: ASGIApp,
        count: Callable[[str, str, int, float], None],
        clock: Callable[[], int] = time.monotonic_ns,
        tracer: Tracer | None = None,
    ) -> None:
        self._app = app
        self._tracer = tracer
        self._count = count
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write its line when it is over."""
        started = self._clock()
        status, number = HUNG_UP, request_id(scope)
        names = {_ID_HEADER, envelope_for(scope["path"]).id_header}
        ids = [(name, number.encode()) for name in sorted(names)]
        token = REQUEST_ID.set(number)
        trace = self._tracer.begin(scope, number) if self._tracer else None
        hearing = LISTENER.set(trace.listener if trace else None)

        def noting(message: Message) -> Awaitable[None]:
            # not a coroutine of its own: this runs once per token
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *ids]
            return send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            took = self._clock() - started
            LISTENER.reset(hearing)
            if trace:
                trace.end(scope.get(ROUTE, ""), status)
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
            REQUEST_ID.reset(token)
