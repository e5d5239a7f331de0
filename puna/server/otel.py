"""Traces by OpenTelemetry: a span for each HTTP request, one below it for each request of a model
by the conventions for generative AI, and its phases below that.

The SDK reads the standard variables itself: address, headers, name of the service, sampler, limits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, get_global_textmap
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import Tracer as SpanMaker
from starlette.types import Scope

from puna import __version__
from puna.fmt import SECOND
from puna.tracing import Listener, Story, Value

__all__ = ["OtelTracer"]

_EXPORTERS: Mapping[str, type[SpanExporter]] = {
    "otlp": OTLPSpanExporter,
    "console": ConsoleSpanExporter,
}
_FLUSH_SECONDS = 5.0
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}
)
_OPERATIONS = {"generate": "text_completion", "embed": "embeddings"}
"""What the conventions call our operations, where they have another name."""


class OtelTracer:
    """See traces.Tracer. Spans are sent by a thread of the SDK; when it does not keep up they are
    dropped.
    """

    def __init__(self, exporters: tuple[str, ...], *, wants_text: bool) -> None:
        self._wants_text = wants_text
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        for name in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(_EXPORTERS[name]()))
        self._maker = self._provider.get_tracer("puna", __version__)
        self._headers = {name.lower() for name in get_global_textmap().fields}

    def begin(self, scope: Scope, number: str) -> _RequestTrace:
        """See traces.Tracer: below the client's span, if it names one."""
        carrier = {
            key: value.decode("latin-1")
            for name, value in scope["headers"]
            if (key := name.decode("latin-1").lower()) in self._headers
        }
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        span = self._maker.start_span(
            method if method != "_OTHER" else "HTTP",
            context=extract(carrier),
            kind=SpanKind.SERVER,
            attributes=_request_facts(scope, method) | {"puna.request.id": number},
        )
        return _RequestTrace(self._maker, span, method, wants_text=self._wants_text)

    def close(self) -> None:
        """See traces.Tracer. A collector that does not answer is not waited for."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(_FLUSH_SECONDS)


class _RequestTrace:
    def __init__(self, maker: SpanMaker, span: Span, method: str, *, wants_text: bool) -> None:
        self._maker = maker
        self._span = span
        self._method = method
        self._wants_text = wants_text

    @property
    def listener(self) -> Listener | None:
        return Listener(self._tell, self._wants_text) if self._span.is_recording() else None

    def end(self, route: str, status: int) -> None:
        if route:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()

    def _tell(self, story: Story) -> None:
        """Make the spans of a story, which has just ended, in hindsight."""
        offset = time.time_ns() - int(story.ended * SECOND)

        def at(moment: float) -> int:
            return int(moment * SECOND) + offset

        operation = _OPERATIONS.get(story.operation, story.operation)
        facts: dict[str, Value] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "puna",
            "gen_ai.request.model": story.model,
            "gen_ai.response.model": story.model,
            **story.facts,
        }
        span = self._maker.start_span(
            f"{operation} {story.model}",
            context=set_span_in_context(self._span, Context()),
            kind=SpanKind.INTERNAL,
            attributes=facts,
            start_time=at(story.began),
        )
        below = set_span_in_context(span, Context())
        for phase in story.phases:
            part = self._maker.start_span(phase.name, context=below, start_time=at(phase.began))
            part.end(at(phase.ended))
        if story.error:
            span.set_attribute("error.type", story.error)
            span.set_status(Status(StatusCode.ERROR))
        span.end(at(story.ended))


def _resource() -> Resource:
    """Who we are: as the variables say, else by our own name."""
    found = Resource.create({SERVICE_VERSION: __version__})
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "puna"}))
    return found


def _request_facts(scope: Scope, method: str) -> dict[str, Value]:
    facts: dict[str, Value] = {
        "http.request.method": method,
        "url.path": scope["path"],
        "url.scheme": scope.get("scheme", "http"),
    }
    if client := scope.get("client"):
        facts["client.address"] = str(client[0])
    if server := scope.get("server"):
        facts |= {"server.address": str(server[0]), "server.port": int(server[1] or 0)}
    for name, value in scope["headers"]:
        if name == b"user-agent":
            facts["user_agent.original"] = value.decode("latin-1")
    return facts
