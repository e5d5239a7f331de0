"""LiteLLM, which speaks four of the APIs."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.clients.asked import ANSWER, CAPITAL, FUNCTION, WEATHER

litellm = pytest.importorskip("litellm")

pytestmark = pytest.mark.clients

APIS = {"ollama_chat": "", "ollama": "", "openai": "/v1", "anthropic": ""}
TOOLS = [each for each in APIS if each != "ollama"]
"""The route of /api/generate knows no tools."""


class City(BaseModel):
    """A city."""

    city: str


def ask(url: str, api: str, question: str, **fields: Any) -> Any:
    return litellm.completion(
        model=f"{api}/cria",
        api_base=url + APIS[api],
        api_key="none",
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=100,
        **fields,
    )


@pytest.mark.parametrize("api", APIS)
def test_an_answer_whole_and_streamed(url: str, api: str) -> None:
    reply = ask(url, api, CAPITAL)
    assert reply.choices[0].message.content == ANSWER
    assert reply.choices[0].message.reasoning_content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.completion_tokens > 5
    pieces = [piece.choices[0].delta.content for piece in ask(url, api, CAPITAL, stream=True)]
    assert "".join(filter(None, pieces)) == ANSWER


@pytest.mark.parametrize("api", TOOLS)
def test_a_tool_is_called(url: str, api: str) -> None:
    choice = ask(url, api, WEATHER, tools=[FUNCTION]).choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather"
    assert "Oslo" in call.function.arguments


@pytest.mark.parametrize("api", APIS)
def test_a_structured_answer(url: str, api: str) -> None:
    reply = ask(url, api, CAPITAL, response_format=City)
    City.model_validate_json(reply.choices[0].message.content)


@pytest.mark.parametrize("api", ["ollama", "openai"])
def test_vectors(url: str, api: str) -> None:
    reply = litellm.embedding(
        model=f"{api}/cria", api_base=url + APIS[api], api_key="none", input=["a cat", "a dog"]
    )
    assert [len(row["embedding"]) for row in reply.data] == [192, 192]


@pytest.mark.parametrize("api", APIS)
def test_a_model_that_is_not_there(url: str, api: str) -> None:
    with pytest.raises(openai.APIError, match="nobody"):
        litellm.completion(
            model=f"{api}/nobody",
            api_base=url + APIS[api],
            api_key="none",
            messages=[{"role": "user", "content": "hi"}],
            max_tokens=5,
        )
