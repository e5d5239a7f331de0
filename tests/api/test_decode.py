"""Reading request bodies: as tolerant as the reference, and never more than a BadRequest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.decode import MOST_DEPTH, MOST_ITEMS, decode, read_value
from puna.api.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    GenerateRequest,
    Message,
    ShowRequest,
)
from puna.errors import BadRequest
from tests.api.test_fields import ANY_JSON

KINDS: list[type[msgspec.Struct]] = [
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    GenerateRequest,
    ShowRequest,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"  \r\n\t "])
def test_a_body_is_needed(kind: type[msgspec.Struct], body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^missing request body$"):
        decode(kind, body)


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_an_object_without_fields(kind: type[msgspec.Struct]) -> None:
    assert decode(kind, b" null ") == kind()


TRUNCATED = [b"{", b'{"model"', b'{"model":', b'{"model":"x', b'{"model":"x",', b"[", b'{"a":[1,']


@pytest.mark.parametrize("body", TRUNCATED)
def test_truncated(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^unexpected EOF$"):
        decode(ChatRequest, body)


WRONG = {
    "no value": b"model",
    "a word": b'{"model": x}',
    "single quotes": b"{'model': 'x'}",
    "not a number": b'{"options": {"temperature": NaN}}',
    "infinite": b'{"keep_alive": Infinity}',
    "minus infinite": b'{"keep_alive": -Infinity} more',
    "beyond numbers": b'{"keep_alive": 1e999}',
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"5",
    "a raw line end in a text": b'{"model": "a\nb"}',
    "nested too deep": b'{"format":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "text for a flag": b'{"stream": "false"}',
    "a number for a flag": b'{"stream": 0}',
    "a fraction for a whole number": b'{"top_logprobs": 1.5}',
    "text for a whole number": b'{"top_logprobs": "1"}',
    "a number for a text": b'{"model": 5}',
    "content in parts": b'{"messages": [{"content": [{"type": "text"}]}]}',
    "a message that is none": b'{"messages": ["hi"]}',
    "arguments as text": (b'{"messages": [{"tool_calls": [{"function": {"arguments": "{}"}}]}]}'),
    "options as a list": b'{"options": []}',
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_wrong(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        decode(ChatRequest, body)
    assert str(caught.value)
    assert caught.value.status == 400


READ: dict[str, tuple[bytes, str]] = {
    "plain": (b'{"model": "m"}', "m"),
    "upper case": (b'{"MODEL": "m"}', "m"),
    "exact spelling first": (b'{"MODEL": "other", "model": "m"}', "m"),
    "in any order": (b'{"model": "m", "MODEL": "other"}', "m"),
    "the last of two": (b'{"model": "other", "model": "m"}', "m"),
    "data behind it": (b'{"model": "m"} trailing', "m"),
    "a second value": (b'{"model": "m"}{"model": "n"}', "m"),
    "unknown fields": (b'{"nonsense": [1, {"a": null}], "model": "m"}', "m"),
    "null": (b'{"model": null}', ""),
    "bad UTF-8": (b'{"model": "\xff"}', "\ufffd"),
    "half a surrogate pair": (rb'{"model": "\ud800"}', "\ufffd"),
    "a pair": (rb'{"model": "\ud83d\ude00"}', "\U0001f600"),
    "a key that folds outside ASCII": ('{"model": "m", "thin\u212a": 5}'.encode(), "m"),
}


@pytest.mark.parametrize(("body", "model"), READ.values(), ids=READ)
def test_tolerance(body: bytes, model: str) -> None:
    assert decode(GenerateRequest, body).model == model


def test_every_null_is_an_absent_field() -> None:
    names = [spec.encode_name for spec in msgspec.structs.fields(GenerateRequest)]
    assert decode(GenerateRequest, json.dumps(dict.fromkeys(names)).encode()) == GenerateRequest()


def test_nested_fields_are_read_as_tolerantly() -> None:
    body = b'{"messages": [{"Role": "USER", "content": null, "x": 1}, null]}'
    first, second = decode(ChatRequest, body).messages
    assert (first.role, first.content) == ("user", "")
    assert second == Message()


def test_keys_of_maps_are_left_alone() -> None:
    order = decode(CreateRequest, b'{"files": {"A.gguf": "d", "a.gguf": "e"}}')
    assert order.files == {"A.gguf": "d", "a.gguf": "e"}


def test_tool_calls_keep_the_order_of_their_arguments() -> None:
    call = {"function": {"name": "f", "arguments": {"z": 1, "a": None, "m": {"B": None}}}}
    body = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    ((read,),) = [message.tool_calls for message in decode(ChatRequest, body).messages]
    assert list(read.function.arguments.items()) == [("z", 1), ("a", None), ("m", {"B": None})]


FIELDS: dict[str, tuple[type[msgspec.Struct], str, str, object, object]] = {
    "from": (CreateRequest, "from", "from_", "m", "m"),
    "debug": (GenerateRequest, "_debug_render_only", "debug_render_only", True, True),
    "an empty context": (GenerateRequest, "context", "context", [], []),
    "any license": (CreateRequest, "license", "license", ["a", "b"], ["a", "b"]),
    "any format": (ChatRequest, "format", "format", {"Type": None}, {"Type": None}),
    "no truncation": (ChatRequest, "truncate", "truncate", False, False),
}


@pytest.mark.parametrize(("kind", "key", "name", "value", "read"), FIELDS.values(), ids=FIELDS)
def test_fields(
    kind: type[msgspec.Struct], key: str, name: str, value: object, read: object
) -> None:
    assert getattr(decode(kind, json.dumps({key: value}).encode()), name) == read


OLD_NAMES = {
    "name": ({"name": "n"}, "n"),
    "model": ({"model": "m"}, "m"),
    "model wins": ({"model": "m", "name": "n"}, "m"),
    "neither": ({}, ""),
}


@pytest.mark.parametrize("kind", [ShowRequest, DeleteRequest, CreateRequest])
@pytest.mark.parametrize(("fields", "target"), OLD_NAMES.values(), ids=OLD_NAMES)
def test_the_old_spelling_of_model(
    kind: type[ShowRequest | DeleteRequest | CreateRequest], fields: dict[str, str], target: str
) -> None:
    assert read_value(kind, fields).target == target


@pytest.mark.parametrize("token", [-1, 2**31, 10**30, 1.5, "1"])
def test_tokens_are_small_whole_numbers(token: object) -> None:
    with pytest.raises(BadRequest):
        decode(GenerateRequest, json.dumps({"context": [1, token]}).encode())


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary())
def test_any_bytes(kind: type[msgspec.Struct], body: bytes) -> None:
    try:
        decode(kind, body)
    except BadRequest as refused:
        text = str(refused)
    else:
        return
    assert text


def names_of(kind: type[msgspec.Struct]) -> list[str]:
    names = [spec.encode_name for spec in msgspec.structs.fields(kind)]
    return [*names, *(name.title() for name in names)]


def nested(depth: int) -> bytes:
    """A body with that many levels, itself the first."""
    return b'{"model":"m","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_how_many_messages_there_may_be() -> None:
    body = b'{"messages":[' + b"{}," * (MOST_ITEMS - 1) + b"{}%b]}"
    assert len(decode(ChatRequest, body % b"").messages) == MOST_ITEMS
    with pytest.raises(BadRequest, match="a list of 65537 Message: at most 65536"):
        decode(ChatRequest, body % b",{}")


def test_how_deep_a_body_may_be() -> None:
    assert decode(ShowRequest, nested(MOST_DEPTH)).model == "m"
    for depth in (MOST_DEPTH + 1, 900, 5000):
        with pytest.raises(BadRequest, match="unreadable JSON"):
            decode(ShowRequest, nested(depth))
    side_by_side = b'{"model":"m","x":[' + b"[]," * 5000 + b"[]]}"
    assert decode(ShowRequest, side_by_side).model == "m"


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_any_json(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    fields: dict[str, Any] = data.draw(
        st.dictionaries(st.sampled_from(names_of(kind)) | st.text(), ANY_JSON)
    )
    body = json.dumps(fields).encode()
    try:
        order = decode(kind, body)
    except BadRequest:
        return
    assert isinstance(order, kind)


@given(
    st.lists(st.dictionaries(st.sampled_from(names_of(Message)), ANY_JSON), max_size=3),
)
def test_any_messages(messages: list[dict[str, Any]]) -> None:
    try:
        order = decode(ChatRequest, json.dumps({"messages": messages}).encode())
    except BadRequest:
        return
    assert len(order.messages) == len(messages)
    assert all(message.role == message.role.lower() for message in order.messages)
