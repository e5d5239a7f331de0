"""Whether requests are traced, and by what: OpenTelemetry is imported here, where its variables ask
for it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.types import Scope

from puna.config import Settings
from puna.threads import in_thread
from puna.tracing import Listener

__all__ = ["RequestTrace", "Tracer", "exporters_of", "open_tracer"]

log = logging.getLogger(__name__)

EXPORTERS = ("otlp", "console")


class RequestTrace(Protocol):
    """The trace of one HTTP request."""

    @property
    def listener(self) -> Listener | None:
        """Who hears of the model's work; nobody where the request is not sampled."""

    def end(self, route: str, status: int) -> None:
        """The answer is over. `route` is empty where no path of the table was asked for."""


class Tracer(Protocol):
    """Begins traces. Nothing of it waits for the network."""

    def begin(self, scope: Scope, number: str) -> RequestTrace:
        """A request has come; `number` is its id."""

    def close(self) -> None:
        """Send what there is to send, for a few seconds at most. Blocks."""


def exporters_of(settings: Settings) -> tuple[str, ...]:
    """Where traces go: nowhere unless an exporter or an address is set."""
    if settings.otel_disabled:
        return ()
    wanted = tuple(filter(None, (name.strip() for name in settings.otel_exporter.split(","))))
    if not wanted and (settings.otel_endpoint or settings.otel_traces_endpoint):
        return ("otlp",)
    unknown = [name for name in wanted if name not in (*EXPORTERS, "none")]
    if unknown:
        log.warning(
            "OTEL_TRACES_EXPORTER: %s is not known here, only %s and none",
            ", ".join(unknown),
            ", ".join(EXPORTERS),
        )
    return tuple(name for name in EXPORTERS if name in wanted)


@asynccontextmanager
async def open_tracer(settings: Settings) -> AsyncIterator[Tracer | None]:
    """The tracer that the settings ask for, None where they ask for none. Leaving flushes it."""
    exporters = exporters_of(settings)
    tracer = await in_thread(_make, settings, exporters) if exporters else None
    try:
        yield tracer
    finally:
        if tracer is not None:
            await in_thread(tracer.close)


def _make(settings: Settings, exporters: tuple[str, ...]) -> Tracer | None:
    try:
        module = importlib.import_module("puna.server.otel")
    except ImportError as missing:
        log.warning("traces are asked for, but %s: pip install 'puna[otel]'", missing)
        return None
    if "grpc" in settings.otel_protocol:
        log.warning("traces are sent by http/protobuf: OTLP over gRPC is not supported")
    tracer: Tracer = module.OtelTracer(exporters, wants_text=settings.otel_content)
    return tracer
