"""Requests of the Anthropic API, and its streams as clients read them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from puna.api.anthropic import MessagesRequest
from puna.api.decode import read_value
from puna.api.events import Done, Event
from puna.api.requests import ChatRequest
from puna.server.anthropic.request import to_chat
from tests.fakes.asgi import Call
from tests.server.scripted import client, run, said

HI = [{"role": "user", "content": "hi"}]
BODY = {"model": "m", "max_tokens": 9, "messages": HI}
DONE = Done("stop", prompt_tokens=7, cached_tokens=5, eval_tokens=3)

CALL = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}
PIXEL = base64.b64encode(b"\x89PNG").decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
SCHEMA = {
    "type": "object",
    "properties": {"at": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}


def read(**fields: Any) -> MessagesRequest:
    return read_value(MessagesRequest, {"model": "m", "max_tokens": 5, "messages": HI} | fields)


def chat(**fields: Any) -> ChatRequest:
    return to_chat(read(**fields))


def result(content: object = "it", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t1", "content": content} | fields


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def ask(*script: Event | Exception, **fields: Any) -> Call:
    doors = client(chat=said(*script))
    return run(doors.request("POST", "/v1/messages?beta=true", BODY | fields))


def events(reply: Call) -> list[dict[str, Any]]:
    """The events of a stream; each has its type twice."""
    assert reply.header("content-type") == "text/event-stream"
    found = []
    for part in reply.body.decode().removesuffix("\n\n").split("\n\n"):
        match = re.fullmatch(r"event: (\w+)\ndata: (.*)", part)
        assert match is not None, part
        found.append(json.loads(match[2]))
        assert found[-1]["type"] == match[1]
    return found
