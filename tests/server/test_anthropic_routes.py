"""Errors and headers of the Anthropic API, and its smaller routes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from puna.api.events import (
    Content,
    Event,
)
from puna.api.requests import ChatRequest
from puna.errors import BadRequest, Busy, EngineDied, Forbidden, InvalidOption, ModelNotFound
from tests.server.anthropic import BODY, DONE, ask, events
from tests.server.scripted import client, run, said

EARLY: dict[str, tuple[Exception, int, str]] = {
    "bad request": (BadRequest("no"), 400, "invalid_request_error"),
    "an option of another type": (InvalidOption("no"), 400, "invalid_request_error"),
    "forbidden": (Forbidden("no"), 403, "permission_error"),
    "AM-15 not found": (ModelNotFound("m"), 404, "not_found_error"),
    "busy": (Busy(), 503, "overloaded_error"),
    "a failure": (EngineDied(), 500, "api_error"),
    "a surprise": (KeyError("secret"), 500, "api_error"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("error", "status", "kind"), EARLY.values(), ids=EARLY)
def test_an_early_error_has_its_status(
    error: Exception, status: int, kind: str, *, stream: bool
) -> None:
    """AM-16"""
    reply = ask(error, stream=stream)
    assert reply.status == status
    assert str(reply.header("content-type")).startswith("application/json")
    body = reply.json
    assert re.fullmatch("req_[0-9a-f]{24}", body["request_id"])
    assert body.pop("request_id") == reply.header("request-id")
    words = "internal server error" if isinstance(error, KeyError) else str(error)
    assert body == {"type": "error", "error": {"type": kind, "message": words}}


def test_a_late_error_is_an_event() -> None:
    stream = events(ask(Content("a"), Busy(), stream=True))
    assert stream[-1]["error"] == {"type": "overloaded_error", "message": str(Busy())}
    assert "message_stop" not in {each["type"] for each in stream}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":5}'])
def test_unreadable_bodies_are_400_in_the_api_s_own_form(path: str, body: bytes) -> None:
    reply = run(client().request("POST", path, body))
    assert (reply.status, reply.json["type"]) == (400, "error")
    assert reply.json["error"]["type"] == "invalid_request_error"


HEADERS: dict[str, dict[str, str]] = {
    "none": {},
    "a version": {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b"},
    "a version that nobody knows": {"anthropic-version": "tomorrow"},
    "a key": {"x-api-key": "anything"},
    "a token": {"authorization": "Bearer anything"},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_keys_and_versions_are_taken_as_they_come(headers: dict[str, str]) -> None:
    doors = client(chat=said(Content("4"), DONE))
    assert run(doors.request("POST", "/v1/messages", BODY, headers=headers)).status == 200


def test_who_asks_and_how_urgent_it_is_go_along() -> None:
    heard: list[tuple[str, str]] = []

    async def answer(order: ChatRequest) -> AsyncIterator[Event]:
        heard.append((order.client, order.priority))
        yield DONE

    headers = {"x-api-key": "k", "X-Puna-Priority": "low"}
    run(client(chat=answer).request("POST", "/v1/messages", BODY, headers=headers))
    ((name, priority),) = heard
    assert name not in {"", "k"}
    assert priority == "low"


def test_models_for_who_sends_a_version() -> None:
    async def tags() -> list[object]:
        return [{"model": name, "modified_at": "2026-01-01T12:00:00Z"} for name in ("a:1", "b:2")]

    headers = {"anthropic-version": "2023-06-01"}
    page = run(client(tags=tags).request("GET", "/v1/models?limit=1", headers=headers)).json
    assert page.pop("data")[0] == {
        "type": "model",
        "id": "a:1",
        "display_name": "a:1",
        "created_at": "2026-01-01T12:00:00Z",
        "lifecycle": "active",
    }
    assert page == {"has_more": False, "first_id": "a:1", "last_id": "b:2"}
    empty = run(client().request("GET", "/v1/models", headers=headers)).json
    assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_counting() -> None:
    async def count(order: ChatRequest) -> int:
        return len(order.messages[0].content)

    body = {name: value for name, value in BODY.items() if name != "max_tokens"}
    doors = client(count_tokens=count)
    reply = run(doors.request("POST", "/v1/messages/count_tokens?beta=true", body))
    assert (reply.status, reply.json) == (200, {"input_tokens": 2})
    missing = run(client().request("POST", "/v1/messages/count_tokens", body))
    assert (missing.status, missing.json["error"]["type"]) == (404, "not_found_error")
