"""The model that comes with Puna: chat, tools, thoughts and memory on the real server, offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import ollama
import pytest

from puna.service.bundled import BUNDLED
from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.server import Server, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string", "description": "The city"}},
        },
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an empty store: nothing is created, nothing is fetched."""
    with running_server(tmp_path_factory.mktemp("home")) as started:
        yield started


def chat(server: Server, *said: dict[str, Any], **fields: Any) -> ollama.Message:
    with ollama.Client(server.url) as client:
        answer = client.chat("cria", list(said), options={"temperature": 0}, **fields)
    return cast("ollama.Message", answer.message)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_it_comes_when_it_is_run_and_comes_back(start: Start) -> None:
    server = start()
    assert "cria" not in puna("list", env=server.env).stdout
    said = puna("run", "cria", "What is the capital of Japan?", env=server.env)
    assert (said.returncode, "Tokyo" in said.stdout) == (0, True)
    assert "cria:latest" in puna("list", env=server.env).stdout
    assert "cria, the small model" in puna("show", "cria", env=server.env).stdout
    assert puna("rm", "cria", env=server.env).stdout == "deleted 'cria'\n"
    assert "cria" not in puna("list", env=server.env).stdout
    assert puna("run", "cria", "Hello!", env=server.env).returncode == 0


def test_it_answers(server: Server) -> None:
    message = chat(server, user("How do I list my models?"), think=False)
    assert "puna list" in (message.content or "")
    assert message.thinking is None


def test_it_thinks_when_asked_to(server: Server) -> None:
    message = chat(server, user("What is 23 + 14?"), think=True)
    assert message.thinking
    assert "37" in (message.content or "")
    assert "think>" not in (message.content or "")


@pytest.mark.parametrize(
    ("country", "city"), [("France", "Paris"), ("Italy", "Rome"), ("Germany", "Berlin")]
)
def test_it_knows_capitals_also_after_a_thought(server: Server, country: str, city: str) -> None:
    for think in (False, True):
        message = chat(server, user(f"What is the capital of {country}?"), think=think)
        assert city in (message.content or "")


def test_it_calls_a_tool(server: Server) -> None:
    """57: of the answer as it is said to clients."""
    message = chat(server, user("What is the weather in Oslo?"), tools=[WEATHER], think=False)
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert (call.function.name, dict(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
    assert not message.content


def test_it_remembers(server: Server) -> None:
    said = [user("My name is Anna."), {"role": "assistant", "content": "Nice to meet you, Anna!"}]
    message = chat(server, *said, user("What is my name?"), think=False)
    assert "Anna" in (message.content or "")


def test_it_knows_its_limits(server: Server) -> None:
    message = chat(server, user("Who won the football match yesterday?"), think=False)
    assert "don't know" in (message.content or "")


PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 30}, "sum": {"type": "integer"}},
    "required": ["name", "sum"],
    "additionalProperties": False,
}
SUM = user("What is 23 + 14?")
TIME: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Get the time",
        "parameters": {
            "type": "object",
            "required": ["zone"],
            "properties": {"zone": {"enum": ["UTC", "CET"]}},
        },
    },
}


def raw_chat(server: Server, *said: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The last object of an answer that is not streamed."""
    body = {"model": "cria", "messages": said, "stream": False, "options": {"temperature": 0}}
    answer = server.request("POST", "/api/chat", body | fields)
    assert answer.status == 200, answer.body
    value: dict[str, Any] = json.loads(answer.body)
    return value


def test_the_thought_is_free_and_the_answer_fits(server: Server) -> None:
    free = raw_chat(server, SUM)["message"]
    held = raw_chat(server, SUM, format=PLACE)["message"]
    assert held["thinking"] == free["thinking"]
    assert {name: type(value) for name, value in json.loads(held["content"]).items()} == {
        "name": str,
        "sum": int,
    }
    digits = raw_chat(server, SUM, regex="[0-9]{2}")["message"]
    assert (digits["thinking"], digits["content"].isdigit()) == (free["thinking"], True)
    warm = {"temperature": 1.5, "seed": 3, "num_predict": 300, "draft_num_predict": 0}
    for options in (warm, warm | {"draft_num_predict": 8}):
        wild = raw_chat(server, SUM, format=PLACE, options=options)
        assert wild["done_reason"] == "length" or json.loads(wild["message"]["content"])
    cut = raw_chat(server, SUM, format=PLACE, options={"temperature": 0, "num_predict": 5})
    assert (cut["done_reason"], cut["message"]["content"]) == ("length", "")
    assert free["thinking"].startswith(cut["message"]["thinking"])


def test_a_thought_and_a_held_answer_are_streamed(server: Server) -> None:
    whole = raw_chat(server, SUM, format=PLACE)["message"]
    with ollama.Client(server.url) as client:
        parts = client.chat(
            "cria",
            [SUM],
            format=PLACE,
            options={"temperature": 0},
            stream=True,
            logprobs=True,
            top_logprobs=1,
        )
        pieces = [part for part in parts if part.message is not None]
    assert "".join(part.message.thinking or "" for part in pieces) == whole["thinking"]
    assert "".join(part.message.content or "" for part in pieces) == whole["content"]
    told = [each.token for part in pieces for each in part.logprobs or ()]
    assert "".join(told).endswith(whole["content"])


def test_a_call_that_must_come_comes_after_the_thought(server: Server) -> None:
    tools = [WEATHER, TIME]
    free = raw_chat(server, SUM, tools=tools)["message"]
    forced = raw_chat(server, SUM, tools=tools, tool_choice="required")["message"]
    assert forced["content"] == ""
    assert forced["thinking"] == free["thinking"]
    assert forced["tool_calls"][0]["function"]["name"] in {"get_weather", "get_time"}
    for think in (True, False):
        named = raw_chat(
            server,
            user("What is the weather in Oslo?"),
            tools=tools,
            tool_choice={"type": "function", "function": {"name": "get_time"}},
            parallel_tool_calls=False,
            think=think,
        )["message"]
        assert bool(named.get("thinking")) is think
        [call] = named["tool_calls"]
        assert call["function"]["name"] == "get_time"
        assert call["function"]["arguments"]["zone"] in {"UTC", "CET"}


def test_a_schema_leaves_the_choice_to_call(server: Server) -> None:
    asked = user("What is the weather in Oslo?")
    called = raw_chat(server, asked, tools=[WEATHER], format=PLACE, think=False)["message"]
    assert called["tool_calls"][0]["function"]["arguments"] == {"city": "Oslo"}
    barred = raw_chat(
        server, asked, tools=[WEATHER], tool_choice="none", format=PLACE, think=False
    )["message"]
    assert "tool_calls" not in barred
    assert json.loads(barred["content"])


def test_the_last_object_after_a_call(server: Server) -> None:
    """57, 58"""
    asked = user("What is the weather in Oslo?")
    body = {"model": "cria", "messages": [asked], "tools": [WEATHER], "think": False}
    pieces = server.post("/api/chat", **body, options={"temperature": 0}).lines
    (called,) = [each["message"] for each in pieces if "tool_calls" in each["message"]]
    (call,) = called["tool_calls"]
    assert called["content"] == ""
    assert re.fullmatch("call_[a-z0-9]{8}", call["id"])
    function = {"index": 0, "name": "get_weather", "arguments": {"city": "Oslo"}}
    assert call["function"] == function
    assert pieces[-1]["done_reason"] == "stop"


def test_a_thought_before_a_schema(server: Server) -> None:
    """61"""
    body = {"model": "cria", "messages": [SUM], "format": PLACE, "think": True}
    first, *rest = server.post("/api/chat", **body, options={"temperature": 0}).lines
    assert first["message"]["thinking"]
    assert first["message"]["content"] == ""
    value = json.loads("".join(each["message"]["content"] for each in rest))
    assert sorted(value) == ["name", "sum"]
