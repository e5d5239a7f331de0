"""`puna serve`: listen, serve until a signal, end in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import fields as fields_of
from types import FrameType

import uvicorn

from puna import __version__
from puna.config import Host, Settings
from puna.log import fields, setup_logging
from puna.server.app import make_app
from puna.server.capture import Capture
from puna.server.checks import HostRules, parse_origins
from puna.server.compose import open_services
from puna.server.drain import Drain
from puna.server.keys import Keys
from puna.server.listen import address_of, bind, is_local, is_loopback, raise_open_files
from puna.server.protocol import bounded
from puna.server.services import Services
from puna.server.traces import open_tracer
from puna.threads import in_thread

__all__ = ["OpenServices", "run", "serve"]

OpenServices = Callable[[Settings], AbstractAsyncContextManager[Services]]

GRACE_SECONDS = 3
"""How long answers that were told to end may take to do so."""

IDLE_SECONDS = 75
"""How long an idle connection stays open.

Clients with a pool of them fail where a server is quicker than they.
"""

log = logging.getLogger(__name__)


def serve(settings: Settings, open_services: OpenServices = open_services) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises PunaError when the address cannot be had or a setting is unusable.
    """
    setup_logging(settings.log_level, form=settings.log_format)
    raise_open_files()
    with bind(settings.host) as listener:
        _announce(settings, listener)
        make_loop = uvicorn.Config(_no_app, log_config=None).get_loop_factory()  # uvloop if it can
        with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(run(settings, listener, open_services))


async def run(settings: Settings, listener: socket.socket, open_services: OpenServices) -> None:
    """Serve on `listener` until a signal comes.

    Then no request is taken any more. Running answers have a while to end (the setting
    drain_timeout), unless a second signal comes; what is left is ended, the services are closed.
    """
    closing, drain = asyncio.Event(), Drain()
    hosts = HostRules(
        is_loopback(listener), socket.gethostname(), is_local, frozenset(settings.hosts)
    )
    origins = parse_origins(settings.origins)
    async with open_tracer(settings) as tracer, open_services(settings) as services:
        app = make_app(
            services,
            origins,
            hosts,
            closing,
            read_timeout=settings.read_timeout,
            drain=drain,
            keys=Keys(settings.api_keys),
            tracer=tracer,
        )
        if settings.log_requests:
            app = await in_thread(Capture, app)
        config = uvicorn.Config(
            app,
            http=bounded(settings.read_timeout),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config, closing, drain, settings.drain_timeout)
        await server.serve(sockets=[listener])


async def _no_app(scope: object, receive: object, send: object) -> None:
    """Stands where only the choice of the loop is asked for."""


class _Server(uvicorn.Server):
    """Uvicorn's server with our end: answers may end by themselves for a while, then are told to,
    and a signal is a normal end (exit 0)."""

    def __init__(
        self, config: uvicorn.Config, closing: asyncio.Event, drain: Drain, seconds: float
    ) -> None:
        super().__init__(config)
        self._closing = closing
        self._drain = drain
        self._drain_seconds = seconds
        self._loop = asyncio.get_running_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer nobody new, let what runs end, end the rest and stop listening."""
        if self._drain.running:
            log.info(
                "waiting for answers to end; a second signal ends them",
                extra=fields(answers=self._drain.running, seconds=self._drain_seconds),
            )
        await self._drain.finish(self._drain_seconds)
        self._closing.set()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal as the wish to end: it is not raised again. A second one ends the waiting
        for answers, and does not hurry past the clean-up."""
        log.info("shutting down", extra=fields(signal=signal.Signals(sig).name))
        if self.should_exit:
            self._loop.call_soon_threadsafe(self._drain.hurry)
        self.should_exit = True


def _announce(settings: Settings, listener: socket.socket) -> None:
    values = {
        str(spec.metadata["env"]): _shown(getattr(settings, spec.name), is_secret=not spec.repr)
        for spec in fields_of(settings)
        if "env" in spec.metadata
    }
    shown = " ".join(f"{name}:{text}" for name, text in sorted(values.items()))
    log.info("server config", extra=fields(env=f"map[{shown}]"))
    for warning in settings.warnings:
        log.warning(warning)
    log.info("Ollama cloud disabled: true")
    log.info(f"Listening on {address_of(listener)} (version {__version__})")


def _shown(value: object, *, is_secret: bool) -> str:
    if is_secret:
        return "…" if value else ""
    match value:
        case None:
            return ""
        case Host():
            return value.url
        case tuple():
            return ",".join(map(str, value))
    return str(value)
