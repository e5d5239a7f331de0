"""The bytes of /v1/completions, /v1/embeddings and /v1/models. Check names are the compatibility
spec's.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from puna.api.events import Content, Done, Event, Logprob, Thinking
from puna.api.requests import EmbedRequest, GenerateRequest
from puna.errors import EngineDied
from puna.service.embedding import Embedded
from tests.fakes.asgi import Call
from tests.server.scripted import client, run, said

STOP = Done("stop", prompt_tokens=7, eval_tokens=2)
NOTHING = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def ask(*script: Event | Exception, **body: object) -> Call:
    app = client(generate=said(*script))
    return run(app.request("POST", "/v1/completions", {"model": "m", "prompt": "Hi"} | body))


def frames(reply: Call) -> list[Any]:
    data = [text.removeprefix("data: ") for text in reply.body.decode().split("\n\n")[:-1]]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def test_a_whole_text() -> None:
    """CP-2, where we differ: all frames have one time."""
    reply = ask(Thinking("hm"), Content("He"), Content("llo"), STOP).json
    assert reply | {"id": ""} == {
        "id": "",
        "object": "text_completion",
        "created": 1767268800,
        "model": "m",
        "system_fingerprint": "fp_ollama",
        "choices": [{"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "total_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_a_stream() -> None:
    """CP-3 is better here: thoughts make no frames."""
    told = frames(ask(Thinking("hm"), Content("He"), Content("llo"), STOP, stream=True))
    assert [frame["choices"][0]["text"] for frame in told[:-1]] == ["He", "llo", ""]
    assert [frame["choices"][0]["finish_reason"] for frame in told[:-1]] == [None, None, "stop"]
    assert all("usage" not in frame for frame in told[:-1])
    assert told[-1] == "[DONE]"


def test_a_stream_with_figures() -> None:
    """CP-1."""
    options = {"include_usage": True}
    told = frames(ask(Content("He"), STOP, stream=True, stream_options=options))
    assert [frame["usage"] for frame in told[:2]] == [NOTHING, NOTHING]
    assert (told[2]["choices"], told[2]["usage"]["total_tokens"]) == ([], 9)


def test_an_empty_prompt_loads() -> None:
    """CP-4."""
    told = frames(ask(Done("load"), stream=True))
    assert [told[0]["choices"][0][key] for key in ("text", "finish_reason")] == ["", "load"]
    (choice,) = ask(Done("load")).json["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("", "load")


@pytest.mark.parametrize("stream", [True, False])
def test_an_echo_comes_once(stream: bool) -> None:
    reply = ask(Content("a"), Content("b"), STOP, stream=stream, echo=True, n=2)
    told = frames(reply)[:-1] if stream else [reply.json]
    texts = {0: "", 1: ""}
    for frame in told:
        for choice in frame["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == {0: "Hiab", 1: "Hiab"}


@pytest.mark.parametrize("stream", [True, False])
def test_logprobs_lie_beside_each_other(stream: bool) -> None:
    first = Logprob(token="He", logprob=-1.0, top_logprobs=(Logprob(token="A", logprob=-0.5),))
    script: list[Event] = [
        Content("He", (first,)),
        Content("y", (Logprob(token="y", logprob=-2.0),)),
        STOP,
    ]
    reply = ask(*script, stream=stream, logprobs=1)
    told = frames(reply)[:-2] if stream else [reply.json]
    lists: dict[str, list[Any]] = {}
    for frame in told:
        for key, values in frame["choices"][0]["logprobs"].items():
            lists.setdefault(key, []).extend(values)
    assert lists == {
        "tokens": ["He", "y"],
        "token_logprobs": [-1.0, -2.0],
        "top_logprobs": [{"A": -0.5}, {}],
        "text_offset": [0, 2],
    }


def test_each_prompt_has_its_choices() -> None:
    async def echoing(order: GenerateRequest) -> AsyncGenerator[Event, None]:
        yield Content(order.prompt.upper())
        yield Done("stop", prompt_tokens=len(order.prompt), eval_tokens=1)

    body = {"model": "m", "prompt": ["a", "bc"], "n": 2}
    reply = run(client(generate=echoing).request("POST", "/v1/completions", body)).json
    assert [each["text"] for each in reply["choices"]] == ["A", "A", "BC", "BC"]
    assert (reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]) == (3, 4)


def test_a_late_error_ends_the_stream() -> None:
    told = frames(ask(Content("a"), EngineDied(), stream=True))
    assert told[-1]["error"]["type"] == "api_error"


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors(encoding: str) -> None:
    """EM-2, EM-3."""
    vectors = [array("f", [0.1, -2.5, 3.0]), array("f", [1.0, 0.0, 0.25])] * 40

    async def embed(order: EmbedRequest) -> Embedded:
        return Embedded(vectors, prompt_tokens=11)

    body = {"model": "m", "input": ["a"] * 80, "encoding_format": encoding}
    reply = run(client(embed=embed).request("POST", "/v1/embeddings", body)).json
    assert [reply["object"], reply["model"]] == ["list", "m"]
    assert reply["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    assert [row["index"] for row in reply["data"]] == list(range(80))
    for row, vector in zip(reply["data"], vectors, strict=True):
        if encoding == "base64":
            assert base64.b64decode(row["embedding"]) == vector.tobytes()
        else:
            assert array("f", row["embedding"]) == vector


def test_no_models() -> None:
    """MD-1."""
    assert run(client().request("GET", "/v1/models")).json == {"object": "list", "data": []}


def test_models() -> None:
    """MD-3; a name with slashes is one name."""
    row = {"model": "me/mine:v1", "modified_at": "2026-01-01T13:00:00.123456789+01:00"}

    async def tags() -> list[object]:
        return [row]

    async def show(order: object, user_agent: str) -> object:
        return row

    app = client(tags=tags, show=show)
    card = {"object": "model", "created": 1767268800}
    (listed,) = run(app.request("GET", "/v1/models")).json["data"]
    assert listed == card | {"id": "me/mine:v1", "owned_by": "me"}
    for name, owner in [("mine", "library"), ("host.example/me/mine:v1", "me")]:
        shown = run(app.request("GET", f"/v1/models/{name}")).json
        assert shown == card | {"id": name, "owned_by": owner}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/files", 404),
        ("GET", "/v1/chat/completions", 405),
        pytest.param("HEAD", "/v1/models", 405, id="MD-4"),
    ],
)
def test_what_is_not_there_is_said_in_the_form_of_the_api(
    method: str, path: str, status: int
) -> None:
    reply = run(client().request(method, path))
    assert reply.status == status
    assert reply.json["error"]["message"].startswith(str(status))


def test_what_is_not_there_under_messages_is_said_as_anthropic_does() -> None:
    reply = run(client().request("GET", "/v1/messages"))
    assert (reply.status, reply.header("allow"), reply.json["type"]) == (405, "POST", "error")
