"""Traces of the real server, as a collector gets them over OTLP."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.conftest import CHAT_TEMPLATE, Start
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.otlp import collector

pytestmark = pytest.mark.e2e

SERVER, INTERNAL = 2, 1
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HI = [{"role": "user", "content": "a secret"}]


def test_a_request_is_one_trace_from_the_client_to_the_decode(start: Start, tmp_path: Path) -> None:
    gguf = make_tiny_llama(tmp_path / "m.gguf", chat_template=CHAT_TEMPLATE)
    with collector() as kept:
        server = start(
            OTEL_EXPORTER_OTLP_ENDPOINT=kept.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20key",
            OTEL_SERVICE_NAME="bench",
            OTEL_TRACES_SAMPLER="parentbased_traceidratio",
            OTEL_TRACES_SAMPLER_ARG="1.0",
        )
        server.create("m", gguf)
        body = {"model": "m", "messages": HI, "stream": False, "options": {"num_predict": 4}}
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"}
        done = server.request("POST", "/api/chat", body, headers).json
        off = {"traceparent": f"00-{TRACE[::-1]}-{PARENT}-00"}
        assert server.request("POST", "/api/chat", body, off).status == 200
        server.post("/v1/embeddings", model="m", input="x")
        server.post("/api/generate", model="nobody", prompt="x")
        assert server.end() == 0

    assert {each["authorization"] for each in kept.headers} == {"Bearer key"}
    assert {span.resource["service.name"] for span in kept.spans} == {"bench"}
    assert TRACE[::-1] not in {span.trace for span in kept.spans}, "the client wanted none"

    request = kept.named("POST /api/chat")
    assert (request.trace, request.parent, request.kind) == (TRACE, PARENT, SERVER)
    assert request.facts["http.route"] == "/api/chat"
    assert request.facts["http.response.status_code"] == 200
    assert request.facts["puna.request.id"] == "mine"
    (chat,) = kept.below(request)
    assert (chat.name, chat.kind, chat.failed) == ("chat m:latest", INTERNAL, False)
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "puna",
        "gen_ai.request.model": "m:latest",
        "gen_ai.response.model": "m:latest",
        "gen_ai.request.max_tokens": 4,
        "gen_ai.response.finish_reasons": [done["done_reason"]],
        "gen_ai.usage.input_tokens": done["prompt_eval_count"],
        "gen_ai.usage.output_tokens": done["eval_count"],
    }
    assert {name: chat.facts[name] for name in wanted} == wanted
    phases = kept.below(chat)
    assert [phase.name for phase in phases] == ["queue", "load", "prefill", "decode"]
    for before, after in pairwise(phases):
        assert before.start <= before.end <= after.start + 1000
    assert request.start - 1_000_000 <= chat.start <= phases[0].start
    assert phases[-1].end == chat.end <= request.end + 1_000_000
    assert kept.named("embeddings m:latest").facts["gen_ai.usage.input_tokens"] > 0
    missing = kept.named("POST /api/generate")
    assert (missing.facts["http.response.status_code"], kept.below(missing)) == (404, [])
    assert "secret" not in str(kept.spans), "texts are not asked for"
