"""When traces are made, by the standard variables, and what is imported where they are not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from puna.config import read_settings
from puna.server.access import AccessLog
from puna.server.traces import exporters_of, open_tracer
from tests.fakes.asgi import Client
from tests.server.scripted import client, run

AT = "http://127.0.0.1:4318"
CASES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "nothing set": ({}, ()),
    "an address": ({"OTEL_EXPORTER_OTLP_ENDPOINT": AT}, ("otlp",)),
    "an address of traces": ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": AT}, ("otlp",)),
    "an exporter": ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",)),
    "two": ({"OTEL_TRACES_EXPORTER": "Console, otlp"}, ("otlp", "console")),
    "none": ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": AT}, ()),
    "one that is not known": ({"OTEL_TRACES_EXPORTER": "zipkin"}, ()),
    "disabled": ({"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": AT}, ()),
    "not disabled": ({"OTEL_SDK_DISABLED": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": AT}, ("otlp",)),
}


@pytest.mark.parametrize(("environ", "exporters"), CASES.values(), ids=CASES)
def test_the_standard_variables(environ: dict[str, str], exporters: tuple[str, ...]) -> None:
    assert exporters_of(read_settings(environ)) == exporters


CONTENTS = {"": False, "false": False, "no_content": False, "event_only": False}
CONTENTS |= {"true": True, "SPAN_ONLY": True, "span_and_event": True}


@pytest.mark.parametrize(("value", "wanted"), CONTENTS.items())
def test_texts_must_be_asked_for(value: str, wanted: bool) -> None:
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert read_settings({name: value}).otel_content is wanted


def test_without_them_there_is_no_tracer() -> None:
    async def scene() -> None:
        async with open_tracer(read_settings({})) as tracer:
            assert tracer is None

    run(scene())


def test_a_server_without_them_imports_nothing_of_opentelemetry() -> None:
    code = "import sys, puna.server.main; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "puna.server.traces" in loaded
    assert [name for name in loaded if name.startswith("opentelemetry")] == []


def test_a_collector_that_is_gone_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    for name, value in (environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}).items():
        monkeypatch.setenv(name, value)  # the SDK reads them there

    async def scene() -> list[int]:
        async with open_tracer(read_settings(environ)) as tracer:
            assert tracer is not None
            app = Client(AccessLog(client().app, lambda *_: None, tracer=tracer))
            return [(await app.request("GET", "/api/tags")).status for _ in range(3)]

    assert run(scene()) == [200, 200, 200]
