"""The answers of the real server are those that its OpenAPI document tells of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from puna.server.openapi.document import OPERATIONS, document
from puna.server.openapi.operation import Key
from puna.service.bundled import BUNDLED
from tests.e2e.server import Answer, Server, running_server
from tests.fakes.schemas import problems

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "What is the weather in Oslo?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Get the weather of a city"}
TOOLS = [{"type": "function", "function": WEATHER | {"parameters": PARAMETERS}}]
GREEDY = {"temperature": 0}
LOGPROBS: dict[str, Any] = {"logprobs": True, "top_logprobs": 2}

MORE: dict[str, tuple[Key, dict[str, Any]]] = {
    "native, a call": (("POST", "/api/chat"), {"tools": TOOLS, "think": False}),
    "native, thoughts": (("POST", "/api/chat"), {"think": True, **LOGPROBS}),
    "native, one body": (("POST", "/api/chat"), {"think": False, "stream": False, **LOGPROBS}),
    "native, the prompt": (("POST", "/api/chat"), {"_debug_render_only": True}),
    "openai, a call": (("POST", CHAT), {"tools": TOOLS, "stream": True, **GREEDY, "think": False}),
    "openai, a call at once": (("POST", CHAT), {"tools": TOOLS, **GREEDY, "think": False}),
    "openai, thoughts": (("POST", CHAT), {"stream": True, "think": True, **LOGPROBS}),
    "openai, figures": (
        ("POST", CHAT),
        {"stream": True, "stream_options": {"include_usage": True}, "n": 2},
    ),
    "anthropic, a call": (
        ("POST", "/v1/messages"),
        {
            "tools": [WEATHER | {"input_schema": PARAMETERS}],
            "thinking": {"type": "disabled"},
            "stream": True,
            **GREEDY,
        },
    ),
    "anthropic, thoughts": (
        ("POST", "/v1/messages"),
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "stream": True},
    ),
}
"""Requests that bring answers of all kinds; model and messages are added."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("home")) as started:
        assert started.post("/api/pull", model="cria", stream=False).status == 200
        yield started


def told(key: Key) -> dict[str, Any]:
    method, path = key
    operation: dict[str, Any] = document()["paths"][path][method.lower()]
    return operation


def check(key: Key, answer: Answer) -> list[str]:
    """The answer's own type; fails where the document does not tell of it."""
    answers = told(key)["responses"]
    assert str(answer.status) in answers, (answer.status, answer.body)
    media = (answer.headers["content-type"] or "").partition(";")[0]
    contents = answers[str(answer.status)].get("content", {})
    if not contents:
        assert answer.body == b""
        return []
    content = contents[media]
    if "x-item-schema" in content:
        schema, values = content["x-item-schema"], list(items(answer.body.decode()))
    else:
        is_json = media == "application/json"
        schema, values = content["schema"], [answer.json if is_json else answer.body.decode()]
    assert values
    wrong = [each for value in values for each in problems(value, schema, document())]
    assert wrong == []
    return [media]


def items(body: str) -> Iterator[Any]:
    """What the lines of a stream, or the data of its events, hold."""
    for line in body.splitlines():
        text = line.removeprefix("data: ")
        if text and not text.startswith("event: ") and text != "[DONE]":
            yield json.loads(text)


QUIET = ("/", "/v1", "/health", "/version", "/api/version", "/api/status", "/api/tags", "/api/ps")
ELSEWHERE = {("POST", "/api/pull"), ("POST", "/api/push")}
"""Routes that would ask a registry."""
EXAMPLES = {" ".join(key): key for key, each in OPERATIONS.items() if each.example is not None}


def test_every_example_works(server: Server) -> None:
    """In the order of the document: what one makes, the next may need."""
    order = sorted(EXAMPLES.values(), key=lambda key: key[0] == "DELETE")
    for key in order:
        answer = server.request(*key, OPERATIONS[key].example)
        assert answer.status == 200, (key, answer.body)
        check(key, answer)


@pytest.mark.parametrize("path", QUIET)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_needs_no_body(server: Server, method: str, path: str) -> None:
    if (method, path) in OPERATIONS:
        check((method, path), server.request(method, path))


@pytest.mark.parametrize(
    "headers", [{}, {"anthropic-version": "2023-06-01"}], ids=["openai", "anthropic"]
)
@pytest.mark.parametrize("model", ["cria", "nobody", "bad name"])
def test_models(server: Server, model: str, headers: dict[str, str]) -> None:
    listed = server.request("GET", "/v1/models", headers=headers)
    assert check(("GET", "/v1/models"), listed) == ["application/json"]
    path = f"/v1/models/{model.replace(' ', '%20')}"
    check(("GET", "/v1/models/{model}"), server.request("GET", path, headers=headers))


@pytest.mark.parametrize(("key", "fields"), MORE.values(), ids=MORE)
def test_answers_of_all_kinds(server: Server, key: Key, fields: dict[str, Any]) -> None:
    limit = {"options": GREEDY | {"num_predict": 60}} if "api" in key[1] else {"max_tokens": 60}
    answer = server.request(*key, {"model": "cria", "messages": HI, **limit, **fields})
    assert answer.status == 200, answer.body
    check(key, answer)


@pytest.mark.parametrize(
    "key", [key for key, each in OPERATIONS.items() if each.needs], ids="{0[0]} {0[1]}".format
)
@pytest.mark.parametrize(
    "body", [{}, {"model": "nobody"}, b"{", b""], ids=["{}", "nobody", "{", ""]
)
def test_what_is_missing_is_told_of(server: Server, key: Key, body: object) -> None:
    if isinstance(body, dict) and body and key in ELSEWHERE:
        body = {"model": "bad name"}
    answer = server.request(*key, body)
    assert answer.status >= 400 or b'"error"' in answer.body
    check(key, answer)
