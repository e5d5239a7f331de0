"""LangChain, through its Ollama and its OpenAI packages."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import pytest
from pydantic import BaseModel

from tests.clients.asked import ANSWER, CAPITAL, FUNCTION, SUM, WEATHER

langchain_ollama = pytest.importorskip("langchain_ollama")
langchain_openai = pytest.importorskip("langchain_openai")
messages = pytest.importorskip("langchain_core.messages")

pytestmark = pytest.mark.clients


class City(BaseModel):
    """A city."""

    city: str


def ollama(url: str, **fields: Any) -> Any:
    quiet = {"temperature": 0, "reasoning": False, "num_predict": 100}
    return langchain_ollama.ChatOllama(model="cria", base_url=url, **{**quiet, **fields})


def openai(url: str, **fields: Any) -> Any:
    quiet = {"temperature": 0, "max_tokens": 100, "extra_body": {"think": False}}
    return langchain_openai.ChatOpenAI(
        model="cria", base_url=f"{url}/v1", api_key="none", **{**quiet, **fields}
    )


BOTH = pytest.mark.parametrize("make", [ollama, openai], ids=["ollama", "openai"])


@BOTH
def test_an_answer_whole_and_streamed(url: str, make: Any) -> None:
    reply = make(url).invoke(CAPITAL)
    assert reply.content == ANSWER
    pieces = list(make(url, stream_usage=True).stream(CAPITAL))
    assert len(pieces) > 5
    joined = reduce(add, pieces)
    assert joined.content == ANSWER
    assert joined.usage_metadata == reply.usage_metadata | {
        key: joined.usage_metadata[key] for key in joined.usage_metadata if "details" in key
    }
    assert reply.usage_metadata["output_tokens"] > 5


@BOTH
def test_a_tool_is_called_and_its_result_is_read(url: str, make: Any) -> None:
    model = make(url).bind_tools([FUNCTION])
    question = messages.HumanMessage(WEATHER)
    asked = model.invoke([question])
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Oslo"})
    result = messages.ToolMessage("Rain, 4 degrees", tool_call_id=call["id"])
    assert "Rain" in model.invoke([question, asked, result]).content


@BOTH
def test_a_structured_answer(url: str, make: Any) -> None:
    model = make(url).with_structured_output(City, method="json_schema")
    assert isinstance(model.invoke(CAPITAL), City)


def test_a_structured_answer_by_a_call_that_must_be_made(url: str) -> None:
    model = openai(url).with_structured_output(City, method="function_calling")
    assert isinstance(model.invoke(CAPITAL), City)


def test_thoughts(url: str) -> None:
    reply = ollama(url, reasoning=True).invoke(SUM)
    assert "37" in reply.content
    assert reply.additional_kwargs["reasoning_content"]


def test_a_completion(url: str) -> None:
    model = langchain_ollama.OllamaLLM(
        model="cria", base_url=url, temperature=0, reasoning=False, num_predict=50
    )
    assert model.invoke(CAPITAL) == ANSWER


def test_responses(url: str) -> None:
    model = openai(url, use_responses_api=True, extra_body=None, reasoning={"effort": "none"})
    assert model.invoke(CAPITAL).text == ANSWER
    assert "".join(piece.text for piece in model.stream(CAPITAL)) == ANSWER


def test_vectors(url: str) -> None:
    made = [
        langchain_ollama.OllamaEmbeddings(model="cria", base_url=url),
        langchain_openai.OpenAIEmbeddings(
            model="cria", base_url=f"{url}/v1", api_key="none", check_embedding_ctx_length=False
        ),
    ]
    first, second = (each.embed_documents(["a cat", "a dog"]) for each in made)
    assert first == [pytest.approx(vector, abs=1e-5) for vector in second]
    assert len(first) == 2
