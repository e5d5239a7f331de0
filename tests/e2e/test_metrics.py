"""What the real server tells Prometheus, read with Prometheus' own parser, and what its log has."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.server import Server, until

pytestmark = pytest.mark.e2e

HI = [{"role": "user", "content": "hi"}]


def sample(server: Server, name: str, **labels: str) -> float:
    """The sum of the samples `puna_NAME` that have these labels."""
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.body.decode()))
    assert families
    assert all(family.name.startswith("puna_") for family in families)
    return sum(
        each.value
        for family in families
        for each in family.samples
        if each.name == f"puna_{name}" and labels.items() <= each.labels.items()
    )


def test_answers_are_counted_by_model_api_and_operation(server: Server, chatty: str) -> None:
    def total(name: str, api: str, operation: str) -> float:
        return sample(server, name, model=f"{chatty}:latest", api=api, operation=operation)

    def counted(name: str, api: str, operation: str) -> float:
        return total(name, api, operation) - before[name, api, operation]

    names = (
        "output_tokens_total prompt_tokens_total inter_token_seconds_count inter_token_seconds_sum "
        "time_to_first_token_seconds_count model_requests_total"
    )
    doors = (("native", "chat"), ("openai", "chat"), ("anthropic", "chat"), ("openai", "generate"))
    before = {(name, *door): total(name, *door) for name in names.split() for door in doors}
    done = server.post("/api/chat", model=chatty, messages=HI, stream=False).json
    assert counted("output_tokens_total", "native", "chat") == done["eval_count"]
    assert counted("prompt_tokens_total", "native", "chat") == done["prompt_eval_count"]
    assert counted("inter_token_seconds_count", "native", "chat") == done["eval_count"] - 1
    seconds = counted("inter_token_seconds_sum", "native", "chat")
    assert seconds == pytest.approx(done["eval_duration"] / 1e9)
    assert counted("time_to_first_token_seconds_count", "native", "chat") == 1

    server.post("/v1/chat/completions", model=chatty, messages=HI)
    server.post("/v1/messages", model=chatty, messages=HI, max_tokens=3)
    server.post("/v1/completions", model=chatty, prompt="x", max_tokens=3)
    for api, operation in doors[1:]:
        assert counted("model_requests_total", api, operation) == 1
        assert counted("output_tokens_total", api, operation) > 0


def test_vectors_are_counted(server: Server, bert: str) -> None:
    before = sample(server, "prompt_tokens_total", api="openai", operation="embed")
    usage = server.post("/v1/embeddings", model=bert, input=["a", "b c"]).json["usage"]
    after = sample(server, "prompt_tokens_total", api="openai", operation="embed")
    assert after - before == usage["prompt_tokens"]


def test_cells_are_told_of_while_they_are_used_and_held(server: Server, endless_gguf: Path) -> None:
    def cells(kind: str = "") -> float:
        return sample(server, f"kv_cells{kind}", model="endless:latest")

    server.create("endless", endless_gguf)
    server.post("/api/generate", model="endless", keep_alive=0)  # other tests' cells go
    until(lambda: "endless:latest" not in server.loaded(), "the model is unloaded")
    options = {"num_predict": -1, "num_ctx": 32768, "temperature": 0}
    with server.stream("/api/generate", model="endless", prompt="hi", options=options) as stream:
        assert stream.status == 200
        until(lambda: cells("_used") > 10, "cells are in use")
        assert cells() > cells("_used")
    until(lambda: cells("_used") == 0 and cells("_held") > 0, "cells are held")


def test_the_log_tells_what_there_is_to_compute_with_and_names_requests(server: Server) -> None:
    until(lambda: 'msg="inference compute"' in server.log, "devices are told of")
    server.request("GET", "/api/tags", headers={"X-Request-Id": "mine-7"})
    until(lambda: "request=mine-7" in server.log, "the request's line")
