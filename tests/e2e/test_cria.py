"""The model that comes with Puna: chat, tools, thoughts and memory on the real server, offline."""

from __future__ import annotations

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


def test_it_calls_a_tool(server: Server) -> None:
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
