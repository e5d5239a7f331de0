"""Every request has an id, its client's own or one of ours, in the answer and in the log."""

from __future__ import annotations

import logging
import re

import pytest

from puna.log import REQUEST_ID
from puna.server.access import request_id
from tests.fakes.asgi import Call
from tests.server.scripted import client, run

OURS = re.compile(r"req_[0-9a-f]{24}")

PATHS = {
    "native": ("POST", "/api/chat"),
    "openai": ("POST", "/v1/chat/completions"),
    "anthropic": ("POST", "/v1/messages"),
    "no route": ("GET", "/nowhere"),
    "rerank": ("POST", "/rerank"),
}


def ask(method: str, path: str, **headers: str) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return run(client().request(method, path, {"model": "m"}, headers=named))


@pytest.mark.parametrize(("method", "path"), PATHS.values(), ids=PATHS)
def test_answers_of_every_api_name_their_request(method: str, path: str) -> None:
    first, second = (ask(method, path).header("x-request-id") or "" for _ in range(2))
    assert OURS.fullmatch(first)
    assert first != second
    assert ask(method, path, x_request_id="mine:1").header("x-request-id") == "mine:1"


def test_an_anthropic_answer_has_it_under_that_apis_name_too() -> None:
    call = ask("POST", "/v1/messages", x_request_id="mine")
    assert call.header("request-id") == call.header("x-request-id") == "mine"
    assert call.json["request_id"] == "mine"


def test_what_is_refused_at_the_door_has_one_too() -> None:
    assert OURS.fullmatch(
        ask("GET", "/api/tags", origin="http://evil").header("x-request-id") or ""
    )


GIVEN = {
    "plain": ("a-b_c.d~e:f/g+h=i@j", "a-b_c.d~e:f/g+h=i@j"),
    "a uuid": ("0b8c6f0e-5d2f-4d0c-9d0a-6a3a8f4b8e55", "0b8c6f0e-5d2f-4d0c-9d0a-6a3a8f4b8e55"),
    "forged lines": ('x\r\nlevel=ERROR msg="gone"', "xlevel=ERRORmsg=gone"),
    "other letters": ("aé b", "ab"),
    "too long": ("x" * 1000, "x" * 128),
}


@pytest.mark.parametrize(("given", "used"), GIVEN.values(), ids=GIVEN)
def test_ids_of_clients_are_cleaned_and_bounded(given: str, used: str) -> None:
    assert request_id({"headers": [(b"x-request-id", given.encode("latin-1"))]}) == used


@pytest.mark.parametrize("given", ["", " \t", "\n"])
def test_an_id_of_which_nothing_is_fit_is_replaced(given: str) -> None:
    assert OURS.fullmatch(request_id({"headers": [(b"x-request-id", given.encode())]}))


def test_the_line_of_a_request_names_it(caplog: pytest.LogCaptureFixture) -> None:
    named: list[str] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            named.append(REQUEST_ID.get())

    handler = Noting()
    logging.getLogger("puna.server.access").addHandler(handler)
    try:
        with caplog.at_level(logging.INFO):
            ask("GET", "/api/tags", x_request_id="mine")
    finally:
        logging.getLogger("puna.server.access").removeHandler(handler)
    assert named == ["mine"]
