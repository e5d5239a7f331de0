"""Keys: who is let in, what is open to all, and how each API says no."""

from __future__ import annotations

import pytest

from puna.server.app import ROUTES
from puna.server.keys import OPEN_PATHS, Keys
from tests.server.scripted import client, run

KEYS = ("first-key", "sécond", "with space")

BROUGHT: dict[str, tuple[dict[str, str], bool]] = {
    "a bearer": ({"authorization": "Bearer first-key"}, True),
    "in small letters": ({"authorization": "bearer first-key"}, True),
    "with blanks": ({"authorization": "Bearer   first-key "}, True),
    "Anthropic's header": ({"x-api-key": "first-key"}, True),
    "the second": ({"x-api-key": "sécond".encode().decode("latin-1")}, True),
    "one with a blank": ({"authorization": "Bearer with space"}, True),
    "one of two": ({"x-api-key": "no", "authorization": "Bearer first-key"}, True),
    "nothing": ({}, False),
    "another": ({"x-api-key": "first-kez"}, False),
    "the beginning": ({"x-api-key": "first"}, False),
    "more": ({"x-api-key": "first-key2"}, False),
    "an empty one": ({"x-api-key": "", "authorization": "Bearer "}, False),
    "another scheme": ({"authorization": "Basic first-key"}, False),
    "no scheme": ({"authorization": "first-key"}, False),
    "another header": ({"cookie": "first-key"}, False),
    "in other letters": ({"x-api-key": "First-Key"}, False),
}


@pytest.mark.parametrize(("headers", "may_pass"), BROUGHT.values(), ids=BROUGHT)
def test_who_may_pass(headers: dict[str, str], may_pass: bool) -> None:
    reply = run(client(keys=Keys(KEYS)).request("GET", "/api/tags", headers=headers))
    assert reply.status == (200 if may_pass else 401)
    assert reply.header("www-authenticate") == (None if may_pass else "Bearer")


def test_without_keys_everybody_may() -> None:
    assert run(client().request("GET", "/api/tags")).status == 200


def test_every_other_path_is_closed() -> None:
    """Whatever the method, and where there is no such path."""
    app = client(keys=Keys(KEYS))
    for path in (*(row.path for row in ROUTES), "/nowhere", "/health/", "/v1/nowhere"):
        for method in ("GET", "HEAD", "POST", "DELETE"):
            status = run(app.request(method, path)).status
            assert (status != 401) is (path in OPEN_PATHS), (method, path)
    assert {"/", "/health", "/version", "/api/version"} <= OPEN_PATHS


def test_each_api_says_no_in_its_own_way() -> None:
    app = client(keys=Keys(KEYS))
    native = run(app.request("POST", "/api/chat", {"model": "m"})).json["error"]
    assert native.startswith("this server wants an API key, as Authorization: Bearer KEY")
    openai = run(app.request("POST", "/v1/chat/completions", {"model": "m"}))
    assert openai.json["error"] == {
        "message": native,
        "type": "authentication_error",
        "param": None,
        "code": "invalid_api_key",
    }
    anthropic = run(app.request("POST", "/v1/messages", {"model": "m"}))
    assert anthropic.json == {
        "type": "error",
        "error": {"type": "authentication_error", "message": native},
        "request_id": anthropic.header("request-id"),
    }


def test_a_page_is_told_too_and_its_preflight_needs_no_key() -> None:
    app = client(keys=Keys(KEYS))
    page = {"origin": "http://localhost:3000"}
    assert run(app.request("OPTIONS", "/api/chat", headers=page)).status == 204
    refused = run(app.request("POST", "/api/chat", {"model": "m"}, headers=page))
    assert refused.status == 401
    assert refused.header("access-control-allow-origin") == "http://localhost:3000"
