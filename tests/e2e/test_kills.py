"""Processes that die, servers that are told to end, clients that hang up."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.server import Server, Stream, is_running, until

pytestmark = pytest.mark.e2e

DEAD = "model runner has unexpectedly stopped"
OPTIONS = {"temperature": 1, "seed": 1, "num_ctx": 32768, "num_predict": -1}
BODY: dict[str, Any] = {"model": "endless", "prompt": "the dog", "options": OPTIONS}


@pytest.fixture
def server(start: Start, endless_gguf: Path) -> Server:
    """A server of the test's own whose answers do not end by themselves."""
    server = start()
    server.create("endless", endless_gguf)
    return server


@contextmanager
def answering(server: Server, **fields: Any) -> Iterator[tuple[Stream, Iterator[Any]]]:
    """An endless answer that has begun."""
    with server.stream("/api/generate", **{**BODY, **fields}) as stream:
        lines = iter(stream)
        assert next(lines)["done"] is False
        yield stream, lines


def ask(server: Server) -> str:
    return server.generate("endless", "the dog", options={"num_ctx": 32768, "num_predict": 8})


def test_a_killed_runner_is_an_error_line_and_the_next_request_is_served(server: Server) -> None:
    text = ask(server)
    with answering(server) as (stream, lines), answering(server) as (_, others):
        [runner] = server.runners()
        os.kill(runner, signal.SIGKILL)
        for rest in (list(lines), list(others)):
            assert stream.status == 200
            assert list(rest[-1]) == ["error"]
            assert rest[-1]["error"].startswith(DEAD)
            assert not any(line.get("done") for line in rest)
    assert ask(server) == text
    [fresh] = server.runners()
    assert fresh != runner


def test_a_killed_runner_before_the_answer_is_a_status(server: Server) -> None:
    with server.sent("/api/generate", **BODY, stream=False) as connection:
        until(lambda: server.loaded() == ["endless:latest"], "the model is in use")
        [runner] = server.runners()
        os.kill(runner, signal.SIGKILL)
        with connection.getresponse() as reply:
            assert (reply.status, reply.headers["Content-Type"]) == (
                500,
                "application/json; charset=utf-8",
            )
            assert json.loads(reply.read())["error"].startswith(DEAD)


def test_an_idle_runner_that_dies_is_noticed(server: Server) -> None:
    text = ask(server)
    [runner] = server.runners()
    os.kill(runner, signal.SIGKILL)
    until(lambda: server.loaded() == [], "the dead runner is not shown as loaded")
    assert ask(server) == text


def test_a_killed_server_leaves_no_runner(server: Server) -> None:
    with answering(server) as (_, lines):
        [runner] = server.runners()
        server.end(signal.SIGKILL)
        until(lambda: not is_running(runner), "the runner follows its server", 5)
        assert not any(line["done"] for line in lines), "the stream is cut off"


def test_a_killed_idle_server_leaves_no_runner(server: Server) -> None:
    ask(server)
    [runner] = server.runners()
    server.end(signal.SIGKILL)
    until(lambda: not is_running(runner), "the runner follows its server", 5)


def test_a_runner_that_hangs_follows_its_killed_server(server: Server) -> None:
    """It cannot notice by itself that its server is gone: the kernel ends it."""
    ask(server)
    [runner] = server.runners()
    os.kill(runner, signal.SIGSTOP)
    server.end(signal.SIGKILL)
    until(lambda: not is_running(runner), "the runner follows its server", 5)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_in_order(server: Server, sign: signal.Signals) -> None:
    with answering(server) as (_, lines), answering(server, stream=True) as (_, others):
        [runner] = server.runners()
        server.is_doomed = True
        server.process.send_signal(sign)
        until(lambda: server.get("/").status == 503, "nobody new is served")
        server.process.send_signal(sign)  # nobody waits for answers that never end
        for rest in (list(lines), list(others)):
            assert rest[-1] == {"error": "server is shutting down"}
    assert server.process.wait(8) == 0, server.log
    assert not is_running(runner)


def test_a_server_lets_an_answer_end_and_saves_what_its_runner_holds(
    start: Start, endless_gguf: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kv"
    server = start(PUNA_DRAIN_TIMEOUT="60s", PUNA_KV_CACHE_DIR=str(kept))
    server.create("endless", endless_gguf)
    ask(server)
    [runner] = server.runners()
    os.kill(runner, signal.SIGSTOP)  # so that the answer does not end before the server is to
    fields = BODY | {"prompt": "the dog " * 100, "options": OPTIONS | {"num_predict": 500}}
    with server.sent("/api/generate", **fields, stream=False) as connection:
        running = b"puna_running_requests 1.0"
        until(lambda: running in server.get("/metrics").body, "the answer is under way")
        server.is_doomed = True
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.get("/").status == 503, "nobody new is served")
        os.kill(runner, signal.SIGCONT)
        with connection.getresponse() as reply:
            last = json.loads(reply.read())
    assert (last["done_reason"], last["eval_count"]) == ("length", 500)
    assert server.process.wait(30) == 0, server.log
    assert not is_running(runner)
    assert list(kept.glob("*.kv"))


def test_a_server_that_loads_ends_in_order(server: Server) -> None:
    """The signal may come before, during or after the load: it ends all the same."""
    with server.sent("/api/generate", model="endless"):
        until(lambda: bool(server.runners()), "the runner starts")
        assert server.end() == 0, server.log


def test_a_runner_that_is_killed_while_it_loads_is_a_status(server: Server) -> None:
    with server.sent("/api/generate", model="endless", stream=False) as connection:
        until(lambda: bool(server.runners()), "the runner starts")
        os.kill(server.runners()[0], signal.SIGKILL)
        with connection.getresponse() as reply:
            assert reply.status == 500
            assert "model runner process has terminated" in json.loads(reply.read())["error"]
    assert ask(server)


def test_who_hangs_up_stops_the_model(server: Server) -> None:
    """With keep_alive 0 the runner goes as soon as it is idle. Without the hanging up the answer
    would last for minutes."""
    with answering(server, keep_alive=0) as (stream, _):
        assert server.loaded() == ["endless:latest"]
        stream.hang_up()
        server.wait_until_idle()


SAID: dict[str, Any] = {"messages": [{"role": "user", "content": "a"}]}
OTHER_ROUTES: dict[str, dict[str, Any]] = {
    "/api/chat": SAID | {"options": OPTIONS},
    "/v1/chat/completions": SAID | {"num_ctx": 32768},
    "/v1/completions": {"prompt": "a", "num_ctx": 32768},
    "/v1/responses": {"input": "a", "num_ctx": 32768},
    "/v1/messages": SAID | {"max_tokens": 300_000},
}


@pytest.mark.parametrize("stream", [True, False])
def test_who_hangs_up_stops_the_model_on_every_route(server: Server, stream: bool) -> None:
    """Answers would last for minutes; a model that is asked to go goes when nobody uses it."""
    for path, body in OTHER_ROUTES.items():
        with server.sent(path, model="endless", stream=stream, **body) as connection:
            if stream:
                assert connection.getresponse().readline(), path
            until(lambda: server.loaded() == ["endless:latest"], "the model is in use")
            server.post("/api/generate", model="endless", keep_alive=0)
        server.wait_until_idle()


def test_who_hangs_up_while_waiting_for_a_whole_answer_stops_the_model(server: Server) -> None:
    with server.sent("/api/generate", **BODY, stream=False, keep_alive=0):
        until(lambda: server.loaded() == ["endless:latest"], "the model is in use")
    server.wait_until_idle()


def test_who_hangs_up_makes_room_for_the_next(start: Start, endless_gguf: Path) -> None:
    """Only one sequence fits: the next request is served because the first one's is free again."""
    server = start(PUNA_MAX_SEQUENCES="1")
    server.create("endless", endless_gguf)
    with answering(server) as (stream, _):
        stream.hang_up()
        assert ask(server)
        assert server.loaded() == ["endless:latest"]


def test_a_client_that_does_not_read_disturbs_nobody(server: Server) -> None:
    text = ask(server)
    with answering(server) as (stream, _):
        assert ask(server) == text
        assert stream.status == 200
