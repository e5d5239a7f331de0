"""The table of errors over plain HTTP: status and text, as clients of the reference compare them.

Rows of the API spec, sections 2, 3, 21 and 23, for the routes there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.server import Server, digest_of

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def unchanged(server: Server) -> Iterator[None]:
    """No error leaves anything in the store."""
    before = server.files()
    yield
    assert server.files() == before


HI = [{"role": "user", "content": "hi"}]
NOWHERE = "sha256:" + "0" * 64
CONFLICT = 'use either :local or :cloud, not both: "x:cloud:local"'
Row = tuple[str, dict[str, Any], int, str]

GENERATE: dict[str, Row] = {
    "unknown model, as sent": ("generate", {"model": "NoPe"}, 404, "model 'NoPe' not found"),
    "unknown local model": (
        "generate",
        {"model": "nope:local"},
        404,
        "model 'nope:local' not found",
    ),
    "no model": ("generate", {"prompt": "x"}, 404, "model '' not found"),
    "blank model": ("generate", {"model": "  "}, 404, "model '  ' not found"),
    "bad name": ("generate", {"model": "bad name"}, 400, "invalid model name"),
    "no tag": ("generate", {"model": "foo:"}, 400, "invalid model name"),
    "two sources": ("generate", {"model": "x:cloud:local"}, 400, CONFLICT),
    "top_logprobs below": (
        "generate",
        {"model": "nope", "top_logprobs": -1},
        400,
        "top_logprobs must be between 0 and 20",
    ),
    "top_logprobs above": (
        "generate",
        {"model": "nope", "top_logprobs": 21},
        400,
        "top_logprobs must be between 0 and 20",
    ),
    "raw with a system prompt": (
        "generate",
        {"model": "tiny", "prompt": "x", "raw": True, "system": "y"},
        400,
        "raw mode does not support template, system, or context",
    ),
    "raw with a template": (
        "generate",
        {"model": "tiny", "prompt": "x", "raw": True, "template": "y"},
        400,
        "raw mode does not support template, system, or context",
    ),
    "raw with a context": (
        "generate",
        {"model": "tiny", "prompt": "x", "raw": True, "context": [1]},
        400,
        "raw mode does not support template, system, or context",
    ),
    "insert": (
        "generate",
        {"model": "tiny", "prompt": "x", "suffix": "y"},
        400,
        "registry.ollama.ai/library/tiny:latest does not support insert",
    ),
    "thinking": (
        "generate",
        {"model": "tiny", "prompt": "x", "think": True},
        400,
        '"tiny" does not support thinking',
    ),
    "thinking, by level": (
        "generate",
        {"model": "tiny", "prompt": "x", "think": "low"},
        400,
        '"tiny" does not support thinking',
    ),
    "a level that is none": (
        "generate",
        {"model": "tiny", "think": "extreme"},
        400,
        'invalid think value: "extreme" (must be "high", "medium", "low", "max", true, or false)',
    ),
    "think of another type": (
        "generate",
        {"model": "tiny", "think": 5},
        400,
        'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
    ),
    "keep_alive true": (
        "generate",
        {"model": "tiny", "keep_alive": True},
        400,
        "Unsupported type: 'bool'",
    ),
    "keep_alive without a unit": (
        "generate",
        {"model": "tiny", "keep_alive": "5"},
        400,
        'time: missing unit in duration "5"',
    ),
    "keep_alive empty": (
        "generate",
        {"model": "tiny", "keep_alive": ""},
        400,
        'time: invalid duration ""',
    ),
    "an image that is a URL": (
        "generate",
        {"model": "tiny", "prompt": "x", "images": ["data:image/png;base64,AAAA"]},
        400,
        r"~illegal base64 data",
    ),
    "option of a wrong type": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"temperature": "hot"}},
        500,
        'option "temperature" must be of type float32',
    ),
    "option that must be whole": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"top_k": "9"}},
        500,
        'option "top_k" must be of type integer',
    ),
    "option that must be a boolean": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"use_mmap": 1}},
        500,
        'option "use_mmap" must be of type boolean',
    ),
    "stop that is no list": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"stop": "x"}},
        500,
        'option "stop" must be of type array',
    ),
    "stop that is no list of strings": (
        "generate",
        {"model": "tiny", "prompt": "x", "options": {"stop": [1]}},
        500,
        'option "stop" must be of an array of strings',
    ),
    "a format that is none": (
        "generate",
        {"model": "tiny", "prompt": "x", "format": "xml"},
        500,
        r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object',
    ),
    "a prompt too long to be cut": (
        "generate",
        {"model": "tiny", "prompt": "red ball " * 400, "truncate": False},
        400,
        r"~.*context.*(exceed|too large|longer|too long)|.*(exceed|too large|longer|too long)"
        r".*context",
    ),
    "a prompt too long to be shifted": (
        "generate",
        {"model": "tiny", "prompt": "red ball " * 400, "shift": False},
        400,
        r"~the prompt is longer than the context length",
    ),
}

CHAT: dict[str, Row] = {
    "unknown model": ("chat", {"model": "NoPe"}, 404, "model 'NoPe' not found"),
    "no model": ("chat", {"messages": HI}, 400, "model is required"),
    "blank model": ("chat", {"model": " "}, 400, "model is required"),
    "bad name": ("chat", {"model": "bad name"}, 400, "invalid model name"),
    "two sources": ("chat", {"model": "x:cloud:local"}, 400, CONFLICT),
    "top_logprobs": (
        "chat",
        {"model": "nope", "top_logprobs": 21},
        400,
        "top_logprobs must be between 0 and 20",
    ),
    "thinking": (
        "chat",
        {"model": "tiny", "think": True},
        400,
        '"tiny" does not support thinking',
    ),
    "tools": (
        "chat",
        {
            "model": "tiny",
            "messages": HI,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        },
        400,
        "registry.ollama.ai/library/tiny:latest does not support tools",
    ),
    "option of a wrong type": (
        "chat",
        {"model": "tiny", "messages": HI, "options": {"num_ctx": "many"}},
        500,
        'option "num_ctx" must be of type integer',
    ),
    "a format that is none": (
        "chat",
        {"model": "tiny", "messages": HI, "format": 5},
        500,
        'invalid format: "5"; expected "json" or a valid JSON Schema object',
    ),
}

STORE: dict[str, Row] = {
    "show unknown": ("show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
    "show unknown by name": ("show", {"name": "a/nope:t"}, 404, "model 'a/nope:t' not found"),
    "show nothing": ("show", {}, 400, "model is required"),
    "show bad name": ("show", {"model": "bad name"}, 400, "invalid model name"),
    "show two sources": ("show", {"model": "x:cloud:local"}, 400, CONFLICT),
    "delete unknown": ("delete", {"model": "nope"}, 404, "model 'nope' not found"),
    "delete nothing": ("delete", {}, 400, "model is required"),
    "delete bad name": ("delete", {"model": "bad name"}, 400, 'name "bad name" is invalid'),
    "delete two sources": ("delete", {"model": "x:cloud:local"}, 400, CONFLICT),
    "copy unknown": (
        "copy",
        {"source": "nope", "destination": "y"},
        404,
        'model "nope" not found',
    ),
    "copy bad source": (
        "copy",
        {"source": "bad name", "destination": "also bad"},
        400,
        'source "bad name" is invalid',
    ),
    "copy bad destination": (
        "copy",
        {"source": "tiny", "destination": "bad name"},
        400,
        'destination "bad name" is invalid',
    ),
    "copy out of the store": (
        "copy",
        {"source": "tiny", "destination": "../../../x"},
        400,
        'destination "../../../x" is invalid',
    ),
    "create nothing": (
        "create",
        {"model": "x"},
        400,
        "neither 'from' or 'files' was specified",
    ),
    "create no name": ("create", {"from": "tiny"}, 400, "invalid model name"),
    "create bad name": (
        "create",
        {"model": "bad name", "from": "tiny"},
        400,
        "invalid model name",
    ),
    "create from a bad name": (
        "create",
        {"model": "x", "from": "bad name"},
        400,
        "invalid model name",
    ),
    "create out of the folder": (
        "create",
        {"model": "x", "files": {"../a.gguf": NOWHERE}},
        400,
        "file path must be relative",
    ),
    "create from an absolute path": (
        "create",
        {"model": "x", "files": {"/a.gguf": NOWHERE}},
        400,
        "file path must be relative",
    ),
    "create without a digest": (
        "create",
        {"model": "x", "files": {"a.gguf": ""}},
        400,
        "invalid digest format",
    ),
    "create without a file": ("create", {"model": "x", "files": {}}, 400, "unknown type"),
    "create with wrong parameters": (
        "create",
        {"model": "x", "from": "tiny", "parameters": {"temperature": "hot"}, "stream": False},
        400,
        'option "temperature" must be of type float32',
    ),
    "create with wrong lengths": (
        "create",
        {"model": "x", "from": "tiny", "info": {"context_length": 1.5}, "stream": False},
        400,
        'info field "context_length" must be a non-negative integer',
    ),
    "create with a wrong family": (
        "create",
        {"model": "x", "from": "tiny", "info": {"model_family": 5}, "stream": False},
        400,
        'info field "model_family" must be a string',
    ),
    "create a draft of nothing": (
        "create",
        {"model": "x", "from": "tiny", "draft_quantize": "q8_0"},
        400,
        "--draft-quantize requires a DRAFT model",
    ),
}

ROWS = {
    f"{route} {name}": row
    for route, table in (("generate", GENERATE), ("chat", CHAT), ("store", STORE))
    for name, row in table.items()
}


@pytest.mark.parametrize(("route", "body", "status", "error"), ROWS.values(), ids=ROWS)
def test_errors(server: Server, route: str, body: dict[str, Any], status: int, error: str) -> None:
    answer = server.request("DELETE" if route == "delete" else "POST", f"/api/{route}", body)
    assert (answer.status, bool(answer.error)) == (status, True), answer.error
    if error.startswith("~"):
        assert re.match(error[1:], answer.error), answer.error
    else:
        assert answer.error == error
    assert answer.headers.get_content_type() == "application/json"


WRONG_TYPES: dict[str, tuple[str, bytes]] = {
    "model is a number": ("generate", b'{"model":5}'),
    "10 stream is a string": ("generate", b'{"model":"tiny","stream":"no"}'),
    "raw is a string": ("generate", b'{"model":"tiny","raw":"true"}'),
    "prompt is a list": ("generate", b'{"model":"tiny","prompt":["x"]}'),
    "options is a list": ("generate", b'{"model":"tiny","options":[]}'),
    "context is a string": ("generate", b'{"model":"tiny","context":"x"}'),
    "context has no integers": ("generate", b'{"model":"tiny","context":[1.5]}'),
    "top_logprobs is no integer": ("generate", b'{"model":"tiny","top_logprobs":1.5}'),
    "images is a string": ("generate", b'{"model":"tiny","images":"AAAA"}'),
    "messages is a string": ("chat", b'{"model":"tiny","messages":"hi"}'),
    "a message is a string": ("chat", b'{"model":"tiny","messages":["hi"]}'),
    "55 content has parts": (
        "chat",
        b'{"model":"tiny","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}',
    ),
    "56 arguments are a string": (
        "chat",
        b'{"model":"tiny","messages":[{"role":"assistant","content":"","tool_calls":'
        b'[{"function":{"name":"f","arguments":"{}"}}]}]}',
    ),
    "show a number": ("show", b'{"model":5}'),
    "verbose is a string": ("show", b'{"model":"tiny","verbose":"yes"}'),
    "copy a list": ("copy", b'{"source":["tiny"],"destination":"x"}'),
    "create files of a list": ("create", b'{"model":"x","files":["a"]}'),
    "create parameters of a list": ("create", b'{"model":"x","from":"tiny","parameters":[]}'),
    "create messages of a string": ("create", b'{"model":"x","from":"tiny","messages":"m"}'),
}


@pytest.mark.parametrize(("route", "body"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_wrong_types(server: Server, route: str, body: bytes) -> None:
    answer = server.request("POST", f"/api/{route}", body)
    assert answer.status == 400, answer.body
    assert answer.error


@pytest.mark.parametrize(("prompt", "messages"), [("hi", HI), ("", [])], ids=["asked", "loaded"])
def test_a_model_for_embeddings_only(
    server: Server, bert: str, prompt: str, messages: list[object]
) -> None:
    """26, 50, 51"""
    answer = server.post("/api/generate", model=bert, prompt=prompt)
    assert (answer.status, answer.error) == (400, '"bert" does not support generate')
    answer = server.post("/api/chat", model=bert, messages=messages)
    assert (answer.status, answer.error) == (400, '"bert" does not support chat')
    unload = server.post("/api/chat", model=bert, messages=[], keep_alive=0)
    assert (unload.status, unload.json["done_reason"]) == (200, "unload")


BLOBS: dict[str, tuple[str, int, str]] = {
    "no digest": ("abc", 400, "invalid digest format"),
    "too short": ("sha256:abc", 400, "invalid digest format"),
    "too long": ("sha256:" + "0" * 65, 400, "invalid digest format"),
    "another hash": ("sha512:" + "0" * 64, 400, "invalid digest format"),
    "no hexadecimal digits": ("sha256:" + "x" * 64, 400, "invalid digest format"),
    "dots": ("sha256-..", 400, "invalid digest format"),
    "a wrong one": (
        NOWHERE,
        400,
        f'digest mismatch, expected "{NOWHERE}", got "{digest_of(b"data")}"',
    ),
}


@pytest.mark.parametrize(("digest", "status", "error"), BLOBS.values(), ids=BLOBS)
def test_uploads_that_are_refused(server: Server, digest: str, status: int, error: str) -> None:
    """89"""
    answer = server.request("POST", f"/api/blobs/{digest}", b"data")
    assert (answer.status, answer.error) == (status, error)


def test_a_digest_is_no_path(server: Server) -> None:
    answer = server.request("POST", "/api/blobs/sha256-..%2f..%2fx", b"data")
    assert (answer.status, answer.body) == (404, b"404 page not found")
