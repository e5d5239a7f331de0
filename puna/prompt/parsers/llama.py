"""Llama 3.1 to 3.3: calls as JSON objects that begin the answer, or behind `<|python_tag|>`."""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.family import (
    BadCall,
    Body,
    CallForm,
    Family,
    Fault,
    Found,
    Kind,
    Mode,
    Turn,
)
from puna.prompt.parsers.loose import Form, read_python_calls
from puna.prompt.parsers.reading import json_calls
from puna.prompt.parsers.watching import watch_json
from puna.prompt.parsers.writing import json_object

__all__ = ["LLAMA3"]

_CODE = "<|python_tag|>"
_read = json_calls(arguments=("parameters", "arguments"))


def read_json(body: Body) -> Iterator[Found]:
    """Reads an object that calls a function of the request; any other is an answer in JSON."""
    for name, arguments in _read(body):
        if name not in body.tools.names:
            raise BadCall(f"tool {name!r} is not declared")
        yield name, arguments


def read_code(body: Body) -> Iterator[Found]:
    """Reads `NAME.call(key=value)`."""
    for name, arguments in read_python_calls(body.text.strip(), Form()):
        yield name.removesuffix(".call"), arguments


def _start(turn: Turn) -> str:
    return "begin" if turn.has_tools else "content"


LLAMA3 = Family(
    {
        "begin": Mode(Kind.CONTENT, {"{": "call", _CODE: "code"}, otherwise="content", trims=False),
        "content": Mode(Kind.CONTENT, {_CODE: "code"}),
        "call": Mode(Kind.CALL, then="after", unread="content", read=read_json, watch=watch_json()),
        "after": Mode(
            Kind.CONTENT, {"{": "call", ";": "after", _CODE: "code"}, otherwise="content"
        ),
        "code": Mode(Kind.CONTENT, {"{": "call"}, otherwise="python"),
        "python": Mode(Kind.CALL, {"<|eom_id|>": "content"}, read=read_code),
    },
    _start,
    bad=Fault.TEXT,
    cut=Fault.TEXT,
    calls=CallForm(json_object(("name", "parameters")), between="/;? ?/", is_json=True),
)
