"""A collector of traces: a real HTTP server that takes OTLP as protobuf, at /v1/traces."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.fakes.serving import serving

__all__ = ["Collector", "Received", "collector"]


@dataclass(frozen=True)
class Received:
    """One span as it arrived; times in nanoseconds since 1970."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    failed: bool
    facts: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Collector:
    """What came in."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: _value(each.value) for each in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Received(
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.kind,
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            span.status.code == 2,
                            {each.key: _value(each.value) for each in span.attributes},
                            resource,
                        )
                    )

    def named(self, name: str) -> Received:
        """The span of this name, of which there is one."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def below(self, parent: Received) -> list[Received]:
        """The children of a span, the first to begin first."""
        found = [span for span in self.spans if span.parent == parent.id]
        return sorted(found, key=lambda span: (span.start, span.end))


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port of 127.0.0.1."""
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            kept.headers.append({name.lower(): value for name, value in self.headers.items()})
            is_ours = self.path == "/v1/traces"
            if is_ours:
                kept.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if is_ours else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with serving(Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}"
        yield kept
