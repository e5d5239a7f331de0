"""/v1/responses on the real server, with OpenAI's own Python client and the model that comes with
Puna. Check names are the compatibility spec's.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseFunctionToolCall, ResponseStreamEvent
from pydantic import BaseModel

from puna.service.bundled import BUNDLED
from tests.e2e.server import Server, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

FRANCE = "What is the capital of France?"
OSLO = "What is the weather in Oslo?"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city",
    "parameters": {
        "type": "object",
        "required": ["city"],
        "properties": {"city": {"type": "string", "description": "The city"}},
    },
    "strict": False,
}
CALM: dict[str, Any] = {"model": "cria", "temperature": 0, "reasoning": {"effort": "none"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with cria."""
    with running_server(tmp_path_factory.mktemp("home")) as started:
        assert started.post("/api/pull", model="cria", stream=False).status == 200
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as started:
        yield started


def test_a_text_is_answered(client: openai.OpenAI) -> None:
    reply = client.responses.create(input=FRANCE, instructions="Be brief.", **CALM)
    assert "Paris" in reply.output_text
    assert (reply.status, reply.error, reply.incomplete_details) == ("completed", None, None)
    assert reply.instructions == "Be brief."
    usage = reply.usage
    assert usage is not None
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    again = client.responses.create(input=FRANCE, instructions="Be brief.", **CALM)
    assert again.usage is not None
    assert again.usage.input_tokens_details.cached_tokens > 0
    assert {item.id for item in again.output}.isdisjoint(item.id for item in reply.output)
    assert again.id != reply.id


def test_a_stream_builds_what_a_whole_response_is(client: openai.OpenAI) -> None:
    whole = client.responses.create(input=FRANCE, **CALM)
    with client.responses.stream(input=FRANCE, **CALM) as stream:
        events: list[Any] = list(stream)
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.usage is not None
    assert whole.usage is not None
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_thoughts_come_as_an_item_and_go_back(client: openai.OpenAI) -> None:
    question: Any = {"role": "user", "content": "What is 23 + 14?"}
    reply = client.responses.create(
        model="cria",
        input=[question],
        temperature=0,
        reasoning={"effort": "high"},
        include=["reasoning.encrypted_content"],
        store=False,
    )
    assert "37" in reply.output_text
    assert [item.type for item in reply.output] == ["reasoning", "message"]
    assert reply.usage is not None
    thought = reply.usage.output_tokens_details.reasoning_tokens
    assert 0 < thought < reply.usage.output_tokens
    history: Any = [question, *reply.output, {"role": "user", "content": "Thanks. " + FRANCE}]
    after = client.responses.create(input=history, store=False, **CALM)
    assert "Paris" in after.output_text


@pytest.mark.parametrize(
    "choice",
    ["auto", "required", {"type": "function", "name": "get_weather"}],
    ids=["auto", "required", "named"],
)
def test_a_tool_is_called_and_its_result_is_read(client: openai.OpenAI, choice: Any) -> None:
    reply = client.responses.create(input=OSLO, tools=[WEATHER], tool_choice=choice, **CALM)
    (call,) = [each for each in reply.output if each.type == "function_call"]
    assert isinstance(call, ResponseFunctionToolCall)
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "7 degrees"}
    for said in (
        {"input": [{"role": "user", "content": OSLO}, call, result]},
        {"input": [result], "previous_response_id": reply.id},
    ):
        after = client.responses.create(tools=[WEATHER], **CALM, **said)
        assert "7" in after.output_text


def test_calls_are_streamed(client: openai.OpenAI) -> None:
    with client.responses.stream(input=OSLO, tools=[WEATHER], **CALM) as stream:
        events: list[ResponseStreamEvent] = list(stream)
        final = stream.get_final_response()
    done = [each for each in events if each.type == "response.function_call_arguments.done"]
    assert [json.loads(each.arguments) for each in done] == [{"city": "Oslo"}]
    pieces = [each for each in events if each.type == "response.function_call_arguments.delta"]
    assert len(pieces) > 1
    assert "".join(each.delta for each in pieces) == done[0].arguments
    assert [each.type for each in final.output] == ["function_call"]


def test_a_custom_tool_takes_text(client: openai.OpenAI) -> None:
    tool: Any = {"type": "custom", "name": "notes", "description": "Write a note"}
    reply = client.responses.create(
        input="Write a note", tools=[tool], tool_choice="required", max_output_tokens=200, **CALM
    )
    kinds = [each.type for each in reply.output]
    assert kinds in (["custom_tool_call"], ["message"])
    assert (kinds == ["message"]) == (reply.status == "incomplete")


class Place(BaseModel):
    """What an answer is held to."""

    city: str
    people: int


def test_structured_answers(client: openai.OpenAI) -> None:
    reply = client.responses.parse(
        model="cria", input=FRANCE, text_format=Place, temperature=0, max_output_tokens=200
    )
    assert isinstance(reply.output_parsed, Place)


def test_an_answer_that_is_cut_is_incomplete(client: openai.OpenAI) -> None:
    asked: Any = CALM | {"input": FRANCE, "max_output_tokens": 3}
    reply = client.responses.create(
        top_logprobs=2, include=["message.output_text.logprobs"], **asked
    )
    assert reply.status == "incomplete"
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"
    message: Any = reply.output[0]
    tokens = message.content[0].logprobs
    assert "".join(token.token for token in tokens) == reply.output_text
    assert [len(token.top_logprobs) for token in tokens] == [2, 2, 2]
    with client.responses.create(stream=True, **asked) as stream:
        *_, last = stream
    assert last.type == "response.incomplete"


def test_a_conversation_is_kept_and_can_be_looked_at(client: openai.OpenAI, server: Server) -> None:
    first = client.responses.create(
        input="My name is Ada.", instructions="Be kind.", metadata={"topic": "names"}, **CALM
    )
    second = client.responses.create(input=FRANCE, previous_response_id=first.id, **CALM)
    assert second.previous_response_id == first.id
    assert second.instructions is None
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    back = client.responses.retrieve(first.id)
    assert back == first
    assert back.metadata == {"topic": "names"}
    listed: list[Any] = list(client.responses.input_items.list(second.id, order="asc", limit=1))
    assert [item.type for item in listed] == ["message"] * 3
    texts = [item.content[0].text for item in listed]
    assert texts == ["My name is Ada.", first.output_text, FRANCE]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    third = client.responses.create(input="Hi", previous_response_id=second.id, **CALM)
    assert third.usage is not None
    assert third.usage.input_tokens > second.usage.input_tokens
    file = Path(server.env["PUNA_HOME"]) / "responses.sqlite3"
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.glob(file.name + "*")} == {
        0o600
    }


def test_items_are_referred_to(client: openai.OpenAI) -> None:
    first = client.responses.create(input=OSLO, tools=[WEATHER], **CALM)
    call: Any = first.output[0]
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "7 degrees"}
    items: Any = [{"role": "user", "content": OSLO}, {"type": "item_reference", "id": call.id}]
    after = client.responses.create(input=[*items, result], tools=[WEATHER], **CALM)
    assert "7" in after.output_text
    unknown: Any = [{"type": "item_reference", "id": "msg_none"}]
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(input=unknown, **CALM)
    assert missing.value.param == "input"


def test_what_is_not_stored_is_not_there(client: openai.OpenAI) -> None:
    """RS-1, where we differ: an id that is not known is an error."""
    reply = client.responses.create(input="Hi", store=False, max_output_tokens=2, **CALM)
    for ask in (
        lambda: client.responses.retrieve(reply.id),
        lambda: client.responses.delete(reply.id),
        lambda: client.responses.input_items.list(reply.id),
        lambda: client.responses.cancel(reply.id),
    ):
        with pytest.raises(openai.NotFoundError):
            ask()
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(input="Hi", previous_response_id=reply.id, **CALM)
    assert missing.value.code == "previous_response_not_found"


def test_input_is_counted(client: openai.OpenAI) -> None:
    counted = client.responses.input_tokens.count(model="cria", input=FRANCE)
    reply = client.responses.create(
        model="cria", input=FRANCE, temperature=0, max_output_tokens=1, store=False
    )
    assert reply.usage is not None
    assert counted.input_tokens == reply.usage.input_tokens


def test_what_a_coding_agent_sends(server: Server) -> None:
    """The request of a command-line agent: its tools, a grammar, nothing stored."""
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "x"+'}
    tools: list[Any] = [
        WEATHER,
        {"type": "custom", "name": "apply_patch", "description": "Edit", "format": grammar},
        {"type": "local_shell"},
        {"type": "web_search", "external_web_access": False},
        {"type": "namespace", "name": "mcp", "description": "", "tools": [WEATHER]},
    ]
    history: list[Any] = [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Rules."}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": OSLO}]},
        {
            "type": "local_shell_call",
            "call_id": "c1",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        {"type": "local_shell_call_output", "id": "c1", "output": "a.txt"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
        {"type": "web_search_call", "status": "completed"},
        {"type": "something_new", "data": 1},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    ]
    answer = server.post(
        "/v1/responses",
        model="cria",
        instructions="You are an agent.",
        input=history,
        tools=tools,
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning=None,
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="0199",
        text={"verbosity": "low"},
        max_output_tokens=20,
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    blocks = answer.body.decode().strip().split("\n\n")
    names = [block.partition("\n")[0].removeprefix("event: ") for block in blocks]
    data = [json.loads(block.partition("data: ")[2]) for block in blocks]
    assert names[:2] == ["response.created", "response.in_progress"]
    assert names[-1] in {"response.completed", "response.incomplete"}
    assert names == [each["type"] for each in data]
    assert data[-1]["response"]["tools"] == tools
    assert data[-1]["response"]["usage"]["input_tokens_details"]["cached_tokens"] >= 0
