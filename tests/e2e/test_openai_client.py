"""The OpenAI API on the real server: with its own Python client and the model that comes with
Puna, and with plain HTTP where a client would not send such a thing. Check names are the
compatibility spec's.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageFunctionToolCall as FunctionCall
from pydantic import BaseModel

from puna.service.bundled import BUNDLED
from tests.e2e.server import Server, running_server
from tests.e2e.test_cria import WEATHER

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

FRANCE = "What is the capital of France?"
OSLO = "What is the weather in Oslo?"
TOOLS: Any = [WEATHER]
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with cria, which answers for models of the vendor, too."""
    aliases = "text-*=cria,gpt-*=cria"
    with running_server(tmp_path_factory.mktemp("home"), PUNA_MODEL_ALIASES=aliases) as started:
        assert started.post("/api/pull", model="cria", stream=False).status == 200
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as started:
        yield started


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


CALM: dict[str, Any] = {"model": "cria", "temperature": 0, "reasoning_effort": "none"}


def test_a_chat(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(messages=user(FRANCE), **CALM)
    (choice,) = reply.choices
    assert "Paris" in (choice.message.content or "")
    assert choice.finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    again = client.chat.completions.create(messages=user(FRANCE), **CALM)
    assert again.usage is not None
    assert again.usage.prompt_tokens_details is not None
    assert (again.usage.prompt_tokens_details.cached_tokens or 0) > 0
    assert again.id != reply.id


def test_a_stream_says_what_a_whole_answer_does(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(messages=user(FRANCE), **CALM)
    with client.chat.completions.create(
        messages=user(FRANCE), stream=True, stream_options={"include_usage": True}, **CALM
    ) as stream:
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_thoughts(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="cria", messages=user("What is 23 + 14?"), temperature=0, reasoning_effort="high"
    )
    message = reply.choices[0].message
    assert "37" in (message.content or "")
    extra = message.model_extra or {}
    assert extra["reasoning"]
    assert extra["reasoning"] == extra["reasoning_content"]


@pytest.mark.parametrize(
    "choice",
    ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}],
    ids=["auto", "required", "named"],
)
def test_a_tool_is_called_and_its_result_is_read(client: openai.OpenAI, choice: Any) -> None:
    reply = client.chat.completions.create(
        messages=user(OSLO), tools=TOOLS, tool_choice=choice, **CALM
    )
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == "tool_calls"
    (call,) = message.tool_calls or []
    assert isinstance(call, FunctionCall)
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Oslo"}')
    said = [*user(OSLO), message, {"role": "tool", "tool_call_id": call.id, "content": "7 degrees"}]
    after = client.chat.completions.create(messages=said, tools=TOOLS, **CALM)
    assert after.choices[0].message.content


def test_without_tool_choice_nothing_is_called(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        messages=user(OSLO), tools=TOOLS, tool_choice="none", **CALM
    )
    assert reply.choices[0].message.tool_calls is None


def test_calls_are_streamed(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(messages=user(OSLO), tools=TOOLS, **CALM) as stream:
        pieces = [
            event.arguments_delta
            for event in stream
            if event.type == "tool_calls.function.arguments.delta"
        ]
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls or []
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert call.function.arguments == "".join(pieces)
    assert len(pieces) > 1
    assert final.choices[0].finish_reason == "tool_calls"


class Place(BaseModel):
    """What an answer is held to."""

    city: str
    people: int


def test_structured_answers(client: openai.OpenAI) -> None:
    reply = client.chat.completions.parse(
        model="cria", messages=user(FRANCE), response_format=Place, temperature=0, max_tokens=200
    )
    assert isinstance(reply.choices[0].message.parsed, Place)


def test_guides_of_other_servers(client: openai.OpenAI) -> None:
    for guide, answers in (
        ({"guided_choice": ["Rome (it)", "Oslo. Or so"]}, {"Rome (it)", "Oslo. Or so"}),
        ({"guided_regex": "[xy]{3}"}, {a + b + c for a in "xy" for b in "xy" for c in "xy"}),
        ({"structured_outputs": {"json": {"const": "x"}}}, {'"x"'}),
    ):
        reply = client.chat.completions.create(messages=user(FRANCE), extra_body=guide, **CALM)
        assert reply.choices[0].message.content in answers


def test_limits_choices_and_biases(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        messages=user(FRANCE),
        n=3,
        max_completion_tokens=3,
        logprobs=True,
        top_logprobs=2,
        extra_body={"num_ctx": 256, "keep_alive": "1h", "top_k": 5},
        **CALM,
    )
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert [choice.finish_reason for choice in reply.choices] == ["length"] * 3
    for choice in reply.choices:
        assert choice.logprobs is not None
        tokens = choice.logprobs.content or []
        assert [len(token.top_logprobs) for token in tokens] == [2, 2, 2]
        assert all(bytes(token.bytes or []).decode() == token.token for token in tokens)
    forbidden: Any = {"The": -100}
    other = client.chat.completions.create(
        messages=user(FRANCE), max_tokens=3, logit_bias=forbidden, **CALM
    )
    assert not (other.choices[0].message.content or "").startswith("The")


def test_a_seed_repeats_its_answer(client: openai.OpenAI) -> None:
    warm: Any = {"model": "cria", "temperature": 0.7, "seed": 5, "max_tokens": 12}
    some, same = (client.chat.completions.create(messages=user("Hi"), **warm) for _ in range(2))
    assert some.choices[0].message.content == same.choices[0].message.content
    hot = warm | {"temperature": 2.0, "n": 2}
    two = client.chat.completions.create(messages=user("Hi"), **hot)
    assert two.choices[0].message.content != two.choices[1].message.content


def test_stop_words(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(messages=user(FRANCE), stop=["Paris"], **CALM)
    assert "Paris" not in (reply.choices[0].message.content or "Paris")


def test_completions(client: openai.OpenAI) -> None:
    asked: Any = {"model": "cria", "temperature": 0, "max_tokens": 6}
    both = client.completions.create(prompt=[FRANCE, "Hello"], logprobs=1, echo=False, **asked)
    one = client.completions.create(prompt="Hello", echo=True, **asked)
    assert [choice.index for choice in both.choices] == [0, 1]
    assert one.choices[0].text == "Hello" + both.choices[1].text
    logprobs = both.choices[0].logprobs
    assert logprobs is not None
    assert "".join(logprobs.tokens or []) == both.choices[0].text
    with client.completions.create(prompt="Hello", stream=True, **asked) as stream:
        streamed = "".join(piece.choices[0].text for piece in stream)
    assert streamed == both.choices[1].text
    tokens = client.completions.create(prompt=[[5, 6], [7]], **asked)
    assert [choice.index for choice in tokens.choices] == [0, 1]


def test_embeddings(client: openai.OpenAI) -> None:
    """EM-1 to EM-3; the client asks for base64 by itself."""
    texts = ["a cat", "", "a dog"]
    packed = client.embeddings.create(model="cria", input=texts, dimensions=8)
    plain = client.embeddings.create(
        model="cria", input=texts, dimensions=8, encoding_format="float"
    )
    assert [each.index for each in packed.data] == [0, 1, 2]
    for some, others in zip(packed.data, plain.data, strict=True):
        assert len(some.embedding) == 8
        assert some.embedding == pytest.approx(others.embedding, abs=1e-2)
    assert len(client.embeddings.create(model="cria", input="").data) == 1
    assert len(client.embeddings.create(model="cria", input=[[5, 6], [7]]).data) == 2


def test_base64_is_four_bytes_a_number(server: Server) -> None:
    """EM-2."""
    body = {"model": "cria", "input": "a cat", "encoding_format": "base64", "dimensions": 8}
    (row,) = server.post("/v1/embeddings", **body).json["data"]
    assert len(array("f", base64.b64decode(row["embedding"]))) == 8


def test_models(client: openai.OpenAI) -> None:
    (listed,) = list(client.models.list())
    assert (listed.id, listed.owned_by, listed.object) == ("cria:latest", "library", "model")
    for name in ("cria", "library/cria"):
        shown = client.models.retrieve(name)
        assert (shown.id, shown.created) == (name, listed.created)


def test_a_name_of_the_vendor_s(client: openai.OpenAI) -> None:
    calm = CALM | {"model": "gpt-4o"}
    reply = client.chat.completions.create(messages=user(FRANCE), **calm)
    assert "Paris" in (reply.choices[0].message.content or "")
    assert reply.model == "gpt-4o"
    response = client.responses.create(input=FRANCE, model="gpt-4o", max_output_tokens=3)
    assert response.model == "gpt-4o"
    vectors = client.embeddings.create(model="text-embedding-3-small", input="A red house.")
    assert vectors.model == "text-embedding-3-small"
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.delete("gpt-4o")


def test_a_model_is_deleted(client: openai.OpenAI, server: Server) -> None:
    assert server.post("/api/copy", source="cria", destination="some/copy").status == 200
    gone = client.models.delete("some/copy")
    assert (gone.id, gone.deleted) == ("some/copy", True)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("some/copy")
    with pytest.raises(openai.NotFoundError):
        client.models.delete("some/copy")


def test_errors_are_those_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nope", messages=user("Hi"))
    assert missing.value.code == "model_not_found"
    assert (missing.value.request_id or "").startswith("req_")
    parts: Any = [{"type": "image_url", "image_url": {"url": PIXEL}}]
    with pytest.raises(openai.BadRequestError) as image:
        client.chat.completions.create(model="cria", messages=[{"role": "user", "content": parts}])
    assert "does not support images" in image.value.message
    extra = {"num_ctx": 64, "truncate": False}
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="cria", messages=user("word " * 500), extra_body=extra)
    assert long.value.code == "context_length_exceeded"


CHAT = "/v1/chat/completions"
HI = {"model": "cria", "messages": [{"role": "user", "content": "Hi"}]}

ERRORS = [
    pytest.param(CHAT, HI | {"model": ""}, 400, "model is required", id="CP-6 chat"),
    pytest.param("/v1/completions", {"prompt": "x"}, 404, "model '' not found", id="CP-6"),
    pytest.param(CHAT, HI | {"model": "a b"}, 400, "invalid model name", id="1.9 name"),
    pytest.param(CHAT, HI | {"model": "no"}, 404, "model 'no' not found", id="1.9 missing"),
    pytest.param(
        "/v1/embeddings",
        {"model": "no", "input": "x"},
        404,
        'model "no" not found, try pulling it first',
        id="1.9 embeddings",
    ),
    pytest.param(
        "/v1/completions",
        {"model": "cria", "prompt": "x", "suffix": "y"},
        400,
        "registry.ollama.ai/library/cria:latest does not support insert",
        id="1.9 insert",
    ),
    pytest.param(
        CHAT,
        HI | {"logprobs": True, "top_logprobs": 21},
        400,
        "top_logprobs must be between 0 and 20",
        id="1.9 top_logprobs",
    ),
    pytest.param(
        "/v1/completions",
        {"model": "cria", "prompt": "x", "stop": [1, 2]},
        400,
        "invalid type for 'stop' field: float64",
        id="CP-5",
    ),
    pytest.param(
        "/v1/embeddings", {"model": "cria", "input": 5}, 400, "invalid input type", id="4"
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "message"), ERRORS)
@pytest.mark.parametrize("stream", [True, False])
def test_errors(
    server: Server, path: str, body: dict[str, Any], status: int, message: str, stream: bool
) -> None:
    answer = server.post(path, **body, stream=stream)
    error = answer.json["error"]
    assert (answer.status, error["message"]) == (status, message)
    assert error["type"] == {400: "invalid_request_error", 404: "not_found_error"}[status]
    assert list(error) == ["message", "type", "param", "code"]


def test_a_missing_model_is_not_retrieved(server: Server) -> None:
    """MD-2."""
    answer = server.get("/v1/models/some/thing")
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"messages": 5}'])
@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/embeddings"])
def test_broken_bodies_are_refused(server: Server, path: str, body: bytes) -> None:
    answer = server.request("POST", path, body)
    assert answer.status in {400, 404}
    assert answer.json["error"]["message"]
