"""Streams and single answers: status, content types, errors early and late, hanging up, closing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from puna.api.events import Content, Done, Event, Progress, Rendered, Thinking, Waiting
from puna.errors import BadRequest, Busy, EngineDied, ModelNotFound
from tests.fakes.asgi import Call
from tests.server.scripted import Held, client, progressed, run, said

NDJSON = "application/x-ndjson"
JSON = "application/json; charset=utf-8"
BARE = "application/json"
DONE = Done("stop", eval_tokens=2)
ROUTES = ("chat", "generate")


def ask(route: str, *script: Event | Exception, **body: object) -> Call:
    said_so = said(*script)
    app = client(chat=said_so, generate=said_so)
    return run(app.request("POST", f"/api/{route}", {"model": "m"} | body))


def text_of(line: dict[str, object]) -> object:
    message = line.get("message", line)
    assert isinstance(message, dict)
    return message.get("response", message.get("content"))


@pytest.mark.parametrize("route", ROUTES)
def test_a_stream_is_one_line_and_one_send_per_event(route: str) -> None:
    script = [Content(f"w{n} ") for n in range(1000)]
    reply = ask(route, *script, DONE)
    assert (reply.status, reply.header("content-type")) == (200, NDJSON)
    assert len(reply.pieces) == 1001
    assert all(piece.endswith(b"}\n") and piece.count(b"\n") == 1 for piece in reply.pieces)
    assert [text_of(line) for line in reply.lines] == [*(e.text for e in script), ""]
    assert [line["done"] for line in reply.lines] == [False] * 1000 + [True]
    assert reply.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize("stream", [True, None])
def test_streaming_is_the_default(stream: bool | None) -> None:
    assert ask("chat", Content("a"), DONE, stream=stream).header("content-type") == NDJSON


@pytest.mark.parametrize("route", ROUTES)
def test_unstreamed_is_one_object(route: str) -> None:
    reply = ask(route, Thinking("hm"), Content("fo"), Content("ur"), DONE, stream=False)
    assert (reply.status, reply.header("content-type")) == (200, JSON)
    assert reply.header("content-length") == str(len(reply.body))
    assert text_of(reply.json) == "four"
    assert reply.json["done_reason"] == "stop"
    assert not reply.body.endswith(b"\n")


ALONE = {"load": Done("load"), "unload": Done("unload"), "debug": Rendered("p")}


@pytest.mark.parametrize("event", ALONE.values(), ids=ALONE)
@pytest.mark.parametrize("route", ROUTES)
def test_an_answer_of_one_object_is_plain_json_even_when_streamed(route: str, event: Event) -> None:
    reply = ask(route, event)
    assert (reply.status, reply.header("content-type")) == (200, JSON)
    assert len(reply.pieces) == 1
    assert not reply.body.endswith(b"\n")


def test_an_empty_answer_is_still_a_stream() -> None:
    reply = ask("chat", DONE)
    assert reply.header("content-type") == NDJSON
    assert len(reply.lines) == 1


EARLY = {
    "not found": (ModelNotFound("m"), None, 404, "model 'm' not found", JSON),
    "bad request": (BadRequest("no"), None, 400, "no", JSON),
    "busy": (Busy(), False, 503, str(Busy()), JSON),
    "a failure": (EngineDied(), None, 500, str(EngineDied()), BARE),
    "a failure, unstreamed": (EngineDied(), False, 500, str(EngineDied()), JSON),
    "a surprise": (KeyError("secret"), None, 500, "internal server error", BARE),
}


@pytest.mark.parametrize(
    ("error", "stream", "status", "text", "content_type"), EARLY.values(), ids=EARLY
)
def test_an_early_error_has_its_status(
    error: Exception, stream: bool | None, status: int, text: str, content_type: str
) -> None:
    reply = ask("chat", error, stream=stream)
    assert (reply.status, reply.json) == (status, {"error": text})
    assert reply.header("content-type") == content_type


def test_a_late_error_is_the_last_line() -> None:
    """44"""
    reply = ask("generate", Content("a"), Content("b"), EngineDied("gone"), DONE)
    assert reply.status == 200
    assert [text_of(line) for line in reply.lines[:2]] == ["a", "b"]
    assert reply.lines[2:] == [{"error": str(EngineDied("gone"))}]
    assert reply.sent[-1]["more_body"] is False


def test_a_late_error_unstreamed_has_its_status() -> None:
    reply = ask("generate", Content("a"), EngineDied(), stream=False)
    assert (reply.status, reply.json) == (500, {"error": str(EngineDied())})


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_without_an_end_is_an_error(stream: bool) -> None:
    reply = ask("chat", Content("a"), stream=stream)
    assert reply.status == (200 if stream else 500)
    assert reply.lines[-1] == {"error": "the answer ended early"}


def test_no_answer_at_all_is_an_error() -> None:
    assert ask("chat").json == {"error": "the answer ended before it began"}


def test_a_surprise_is_logged_with_its_traceback_and_told_to_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        reply = ask("chat", Content("a"), KeyError("secret"))
    assert reply.lines[-1] == {"error": "internal server error"}
    assert any(r.exc_info and "secret" in str(r.exc_info[1]) for r in caplog.records)


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_cancels_the_generation(stream: bool) -> None:
    async def scene() -> None:
        held = Held(Content("a"), Content("b"))
        body = {"model": "m", "stream": stream}
        async with client(chat=held).open("POST", "/api/chat", body) as call:
            await held.reached.wait()
            assert len(call.pieces) == (2 if stream else 0)
            call.hang_up()
            await asyncio.wait_for(held.cleaned.wait(), 1)
        assert held.cancelled
        assert len(call.sent) == (3 if stream else 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scene())


def test_hanging_up_before_the_first_event_cancels_too() -> None:
    async def scene() -> None:
        held = Held()
        async with client(generate=held).open("POST", "/api/generate", {"model": "m"}) as call:
            await held.reached.wait()
            call.hang_up()
        assert held.cancelled
        assert held.cleaned.is_set()
        assert call.sent == []

    run(scene())


def test_a_slow_client_that_hangs_up_closes_the_generator() -> None:
    """The generator is at its yield, not waiting: it is closed, not cancelled."""
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[Event]:
        try:
            while True:
                yield Content("x")
        finally:
            closed.set()

    async def scene() -> None:
        kept = endless()  # held here, so that no garbage collector does the closing
        async with client(chat=lambda order: kept).open("POST", "/api/chat", {}) as call:
            await call.until_sent(10)
            call.hang_up()
        assert closed.is_set()

    run(scene())


@pytest.mark.parametrize("stream", [True, False])
def test_closing_ends_running_answers_and_says_so(stream: bool) -> None:
    async def scene() -> None:
        held, closing = Held(Content("a")), asyncio.Event()
        body = {"model": "m", "stream": stream}
        async with client(chat=held, closing=closing).open("POST", "/api/chat", body) as call:
            await held.reached.wait()
            closing.set()
        assert held.cancelled
        assert held.cleaned.is_set()
        assert call.status == (200 if stream else 503)
        assert call.lines[-1] == {"error": "server is shutting down"}
        assert call.sent[-1].get("more_body") is False
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scene())


STEPS = (Progress(status="parsing GGUF"), Progress(status="success"))


def create(*script: Progress | Exception, **body: object) -> Call:
    app = client(create=progressed(*script))
    return run(app.request("POST", "/api/create", {"model": "m"} | body))


def test_create_streams_its_progress() -> None:
    reply = create(*STEPS)
    assert reply.header("content-type") == NDJSON
    assert reply.lines == [{"status": "parsing GGUF"}, {"status": "success"}]


def test_create_unstreamed_is_its_last_step() -> None:
    reply = create(*STEPS, stream=False)
    assert (reply.header("content-type"), reply.body) == (BARE, b'{"status":"success"}')


FAILED = {
    "early": ((BadRequest("x"),), None, 400, JSON),
    "early, unstreamed": ((BadRequest("x"),), False, 400, BARE),
    "late, unstreamed": ((STEPS[0], BadRequest("x")), False, 400, BARE),
    "late": ((STEPS[0], BadRequest("x")), None, 200, NDJSON),
}


@pytest.mark.parametrize(
    ("script", "stream", "status", "content_type"), FAILED.values(), ids=FAILED
)
def test_create_fails(
    script: tuple[Progress | Exception, ...],
    stream: bool | None,
    status: int,
    content_type: str,
) -> None:
    reply = create(*script, stream=stream)
    assert (reply.status, reply.header("content-type")) == (status, content_type)
    assert reply.lines[-1] == {"error": "x"}


@pytest.mark.parametrize("route", ROUTES)
def test_who_wants_to_know_is_told_what_it_waits_for(route: str) -> None:
    waiting = Waiting(2, "the model is being loaded")
    first, *rest = ask(route, waiting, Content("a"), DONE, progress=True).lines
    assert first.pop("created_at")
    assert first == {
        "model": "m",
        "status": "waiting",
        "position": 2,
        "reason": "the model is being loaded",
        "done": False,
    }
    assert [line["done"] for line in rest] == [False, True]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("stream", [True, False])
def test_a_busy_server_says_when_to_come_back(route: str, stream: bool) -> None:
    reply = ask(route, Busy(), stream=stream)
    assert (reply.status, reply.header("retry-after")) == (503, "5")
    assert ask(route, BadRequest("x"), stream=stream).header("retry-after") is None


def test_the_queue_can_be_seen() -> None:
    reply = run(client().request("GET", "/api/queue"))
    assert reply.status == 200
    assert reply.json == {
        "waiting": [
            {"position": 1, "model": "m", "priority": "high", "waited_ms": 5, "reason": "busy"}
        ],
        "limit": 512,
        "running": 1,
        "loaded": 1,
        "loading": 0,
    }
