"""Errors over plain HTTP: status and text, as clients of the reference compare them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.error_table import HI, NOWHERE, ROWS
from tests.e2e.server import Server, digest_of

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def unchanged(server: Server) -> Iterator[None]:
    """No error leaves anything in the store."""
    before = server.files()
    yield
    assert server.files() == before


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
