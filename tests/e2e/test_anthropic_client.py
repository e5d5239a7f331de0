"""Anthropic's own Python client, unchanged, against the real server and the model that comes with
Puna. Facts: compatibility spec, sections 8 and 9.7."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import (
    Message,
    MessageParam,
    TextBlock,
    ThinkingBlock,
    ThinkingConfigDisabledParam,
    ThinkingConfigEnabledParam,
    ToolParam,
    ToolUseBlock,
)
from pydantic import BaseModel

from puna.service.bundled import BUNDLED
from tests.e2e.server import Server, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

LONG = 200  # tokens
GREEDY = {"temperature": 0}
QUIET: ThinkingConfigDisabledParam = {"type": "disabled"}
LOUD: ThinkingConfigEnabledParam = {"type": "enabled", "budget_tokens": 1024}
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Get the weather of a city",
    "input_schema": {
        "type": "object",
        "required": ["city"],
        "properties": {"city": {"type": "string", "description": "The city"}},
    },
}
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an empty store, where cria answers for models of the vendor, too."""
    home = tmp_path_factory.mktemp("home")
    with running_server(home, PUNA_MODEL_ALIASES="claude-*=cria") as started:
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0) as started:
        yield started


def user(text: str) -> MessageParam:
    return {"role": "user", "content": text}


def ask(client: anthropic.Anthropic, *messages: MessageParam, **fields: Any) -> Message:
    calm = {"model": "cria", "thinking": QUIET, "extra_body": GREEDY, "max_tokens": LONG}
    asked: dict[str, Any] = {**calm, **fields}
    reply = client.messages.create(messages=messages, **asked)
    assert isinstance(reply, Message)
    return reply


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def test_an_answer(client: anthropic.Anthropic) -> None:
    reply = ask(client, user("How do I list my models?"))
    assert "puna list" in text_of(reply)
    assert (reply.role, reply.model, reply.stop_reason) == ("assistant", "cria", "end_turn")
    assert (reply.stop_sequence, [block.type for block in reply.content]) == (None, ["text"])
    assert reply.usage.output_tokens > 3


def test_the_beginning_of_an_answer_is_gone_on_with(client: anthropic.Anthropic) -> None:
    begun: MessageParam = {"role": "assistant", "content": "The capital of"}
    reply = ask(client, user("What is the capital of Japan?"), begun)
    assert text_of(reply).strip() == "Japan is Tokyo."


def test_am1_a_wish_to_think_is_dropped_where_the_model_cannot(
    client: anthropic.Anthropic, server: Server, tiny_gguf: Path
) -> None:
    server.create("tiny", tiny_gguf)
    reply = client.messages.create(
        model="tiny", messages=[user("the cat")], max_tokens=3, thinking=LOUD
    )
    assert [block.type for block in reply.content] == ["text"]
    assert server.request("DELETE", "/api/delete", {"model": "tiny"}).status == 200


def test_a_prompt_that_was_read_already_is_told(client: anthropic.Anthropic) -> None:
    question = user("Which command shows what is in memory just now?")
    before, after = (ask(client, question).usage for _ in range(2))
    assert after.cache_read_input_tokens
    assert after.cache_read_input_tokens > after.input_tokens
    assert _total(before) == _total(after)


def _total(usage: Any) -> int:
    return int(usage.input_tokens + usage.cache_read_input_tokens)


def test_a_stream_builds_the_same_message(client: anthropic.Anthropic) -> None:
    question = user("What is 23 + 14?")
    whole = ask(client, question, thinking=LOUD)
    with client.messages.stream(
        model="cria", messages=[question], max_tokens=LONG, extra_body=GREEDY, thinking=LOUD
    ) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert {"thinking", "signature", "text"} < set(kinds)
    thought, said = streamed.content
    assert isinstance(thought, ThinkingBlock)
    assert thought.thinking
    assert thought.signature
    assert "37" in text_of(streamed)
    assert text_of(whole) == text_of(streamed)
    assert isinstance(whole.content[0], ThinkingBlock)
    assert whole.content[0].thinking == thought.thinking
    assert said.type == "text"
    assert _total(whole.usage) == _total(streamed.usage)


def test_thoughts_have_a_budget(client: anthropic.Anthropic) -> None:
    question = user("What is 23 + 14?")
    long = ask(client, question, thinking=LOUD)
    short = ask(client, question, thinking={"type": "enabled", "budget_tokens": 3})
    assert isinstance(long.content[0], ThinkingBlock)
    assert isinstance(short.content[0], ThinkingBlock)
    assert long.content[0].thinking.startswith(short.content[0].thinking.strip())
    assert len(short.content[0].thinking) < len(long.content[0].thinking)
    assert text_of(short)
    assert short.stop_reason == "end_turn"
    assert _total(short.usage) == _total(long.usage)


def test_a_prompt_that_is_only_read(client: anthropic.Anthropic) -> None:
    message = ask(client, user("What is a manifest?"), max_tokens=0)
    assert (message.content, message.stop_reason) == ([], "max_tokens")
    assert message.usage.output_tokens == 0
    assert ask(client, user("What is a manifest?")).usage.cache_read_input_tokens


def test_the_text_of_a_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="cria", messages=[user("Hello!")], max_tokens=LONG, thinking=QUIET
    ) as stream:
        pieces = list(stream.text_stream)
    assert len(pieces) > 1
    assert "".join(pieces) == text_of(stream.get_final_message())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_and_its_result_is_read(
    client: anthropic.Anthropic, *, streamed: bool
) -> None:
    question = user("What is the weather in Oslo?")
    if streamed:
        with client.messages.stream(
            model="cria",
            messages=[question],
            max_tokens=LONG,
            extra_body=GREEDY,
            thinking=QUIET,
            tools=[WEATHER],
        ) as stream:
            reply: Message = stream.get_final_message()
    else:
        reply = ask(client, question, tools=[WEATHER])
    (call,) = reply.content
    assert isinstance(call, ToolUseBlock)
    assert (call.name, call.input, reply.stop_reason) == (
        "get_weather",
        {"city": "Oslo"},
        "tool_use",
    )
    results: MessageParam = {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Rain, 4 degrees"}],
    }
    said: MessageParam = {"role": "assistant", "content": reply.content}
    answer = ask(client, question, said, results, tools=[WEATHER])
    assert answer.stop_reason == "end_turn"
    assert "ain" in text_of(answer)


def test_thoughts_can_be_sent_back(client: anthropic.Anthropic) -> None:
    question = user("What is 23 + 14?")
    first = ask(client, question, thinking=LOUD)
    said: MessageParam = {"role": "assistant", "content": first.content}
    assert text_of(ask(client, question, said, user("What is 2 + 2?"))) != ""


def test_a_stop_sequence_is_named(client: anthropic.Anthropic) -> None:
    reply = ask(client, user("How do I list my models?"), stop_sequences=["never", "list"])
    assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", "list")
    assert "list" not in text_of(reply)


def test_the_longest_answer(client: anthropic.Anthropic) -> None:
    reply = ask(client, user("How do I list my models?"), max_tokens=2)
    assert (reply.stop_reason, reply.usage.output_tokens) == ("max_tokens", 2)


def test_an_answer_held_to_a_type(client: anthropic.Anthropic) -> None:
    class Sum(BaseModel):
        total: int

    reply = client.messages.parse(
        model="cria",
        messages=[user("What is 23 + 14?")],
        max_tokens=LONG,
        extra_body=GREEDY,
        thinking=QUIET,
        output_format=Sum,
    )
    assert isinstance(reply.parsed_output, Sum)


def test_counting_is_what_the_answer_says(client: anthropic.Anthropic) -> None:
    question = user("What is the weather in Oslo?")
    plain = client.messages.count_tokens(model="cria", messages=[question], thinking=QUIET)
    with_tool = client.messages.count_tokens(
        model="cria", messages=[question], system="Be brief.", tools=[WEATHER], thinking=QUIET
    )
    reply = ask(client, question, system="Be brief.", tools=[WEATHER])
    assert plain.input_tokens < with_tool.input_tokens == _total(reply.usage)


def test_a_file_is_part_of_the_message(client: anthropic.Anthropic) -> None:
    data = base64.b64encode(b"The secret word is plum.").decode()
    source: Any = {"type": "base64", "media_type": "text/markdown", "data": data}
    file: Any = {"type": "document", "title": "notes.md", "source": source}
    asked: Any = {"role": "user", "content": [file, {"type": "text", "text": "Hello!"}]}
    same = user("notes.md\nThe secret word is plum.\n\nHello!")
    counts = [client.messages.count_tokens(model="cria", messages=[m]) for m in (asked, same)]
    assert counts[0] == counts[1]
    source["media_type"] = "application/pdf"
    with pytest.raises(anthropic.BadRequestError, match="send their text"):
        ask(client, asked)


def test_models(client: anthropic.Anthropic) -> None:
    ask(client, user("Hello!"))  # it is installed when it is first asked for
    (listed,) = client.models.list()
    assert (listed.type, listed.id) == ("model", "cria:latest")
    assert client.models.retrieve(listed.id) == listed
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")


def test_a_name_of_the_vendor_s(client: anthropic.Anthropic) -> None:
    name = "claude-haiku-4-5-20251001"
    reply = ask(client, user("Hello!"), model=name, max_tokens=5)
    assert (reply.model, reply.usage.output_tokens) == (name, 5)
    counted = client.messages.count_tokens(model=name, messages=[user("Hello!")], thinking=QUIET)
    assert counted.input_tokens == _total(reply.usage)
    assert client.models.retrieve(name).id == name


def test_errors_have_the_client_s_own_types(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(model="nobody", messages=[user("hi")], max_tokens=5)
    assert missing.value.body == missing.value.response.json()
    assert missing.value.request_id == missing.value.response.json()["request_id"]
    assert missing.value.response.json()["error"] == {
        "type": "not_found_error",
        "message": "model 'nobody' not found",
    }
    picture: Any = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
    }
    with pytest.raises(anthropic.BadRequestError, match="does not support images"):
        ask(client, {"role": "user", "content": [picture]})
    choice: Any = {"type": "tool", "name": "other"}
    with pytest.raises(anthropic.BadRequestError, match="not in tools: other"):
        ask(client, user("hi"), tools=[WEATHER], tool_choice=choice)


def test_a_tool_that_must_be_called(client: anthropic.Anthropic) -> None:
    choices: list[Any] = [{"type": "any"}, {"type": "tool", "name": WEATHER["name"]}]
    for choice in choices:
        reply = ask(client, user("Hello!"), tools=[WEATHER], tool_choice=choice)
        assert reply.stop_reason == "tool_use"
        block = reply.content[0]
        assert isinstance(block, ToolUseBlock)
        assert block.name == WEATHER["name"]


def test_every_event_of_a_stream_is_known(server: Server) -> None:
    body = {"model": "cria", "max_tokens": 50, "stream": True, "messages": [user("Hello!")]}
    answer = server.request("POST", "/v1/messages?beta=true", body)
    parts = answer.body.decode().removesuffix("\n\n").split("\n\n")
    names = [part.split("\n")[0].removeprefix("event: ") for part in parts]
    data = [json.loads(part.split("\n")[1].removeprefix("data: ")) for part in parts]
    assert [each["type"] for each in data] == names
    assert names[:2] == ["message_start", "ping"]
    assert names[-2:] == ["message_delta", "message_stop"]
