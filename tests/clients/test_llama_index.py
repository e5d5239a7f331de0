"""LlamaIndex, through its package for Ollama."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.asked import ANSWER, CAPITAL, SUM, WEATHER

ollama = pytest.importorskip("llama_index.llms.ollama")
llms = pytest.importorskip("llama_index.core.llms")
tools = pytest.importorskip("llama_index.core.tools")

pytestmark = pytest.mark.clients


class City(BaseModel):
    """A city."""

    city: str


def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return f"Rain in {city}"


def model(url: str, **fields: Any) -> Any:
    quiet = {"temperature": 0, "thinking": False, "context_window": 1024}
    return ollama.Ollama(model="cria", base_url=url, **{**quiet, **fields})


def test_an_answer_whole_and_streamed(url: str) -> None:
    question = llms.ChatMessage(role="user", content=CAPITAL)
    assert model(url).chat([question]).message.content == ANSWER
    assert "".join(piece.delta for piece in model(url).stream_chat([question])) == ANSWER


def test_a_completion(url: str) -> None:
    assert model(url).complete(CAPITAL).text == ANSWER


def test_thoughts(url: str) -> None:
    question = llms.ChatMessage(role="user", content=SUM)
    reply = model(url, thinking=True).chat([question])
    assert "37" in reply.message.content
    assert "thinking" in {block.block_type for block in reply.message.blocks}


def test_a_tool_is_called(url: str) -> None:
    weather = tools.FunctionTool.from_defaults(get_weather)
    reply = model(url).chat_with_tools([weather], user_msg=WEATHER)
    (call,) = model(url).get_tool_calls_from_response(reply)
    assert (call.tool_name, call.tool_kwargs) == ("get_weather", {"city": "Oslo"})


def test_a_structured_answer(url: str) -> None:
    assert isinstance(model(url).as_structured_llm(City).complete(CAPITAL).raw, City)
