"""Loads with real runners: who waits for one and is told so, one that stalls, one that runs out of
memory.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.server import Server, is_running, until
from tests.fakes.ggufs import make_tiny_llama

pytestmark = pytest.mark.e2e

MIB = 1 << 20
BUSY = "server busy, please try again.  maximum pending requests exceeded"
ENDLESS = {"temperature": 1, "num_ctx": 32768, "num_predict": -1}


@contextmanager
def stopped(server: Server) -> Iterator[int]:
    """The only runner, standing still; it goes on afterwards."""
    until(lambda: len(server.runners()) == 1, "a runner starts")
    [runner] = server.runners()
    os.kill(runner, signal.SIGSTOP)
    try:
        yield runner
    finally:
        if is_running(runner):
            os.kill(runner, signal.SIGCONT)


def waiting(server: Server) -> list[tuple[int, str, str]]:
    """Who waits: position, model and reason."""
    rows = server.get("/api/queue").json["waiting"]
    return [(row["position"], row["model"], row["reason"]) for row in rows]


def n_loads(server: Server) -> int:
    return server.log.count(" with a context of ")


def read(connection: HTTPConnection) -> tuple[int, dict[str, Any]]:
    with connection.getresponse() as reply:
        return reply.status, json.loads(reply.read())


def check_a_load_outlives_its_first_client(server: Server) -> None:
    """Beside it: places in the queue, and what happens when it is full."""
    LOADING = "the model is being loaded"
    with ExitStack() as clients:
        first = clients.enter_context(server.sent("/api/generate", model="a", stream=False))
        with stopped(server) as runner:
            until(lambda: waiting(server) == [(1, "a:latest", LOADING)], "the first waits")
            second = clients.enter_context(server.stream("/api/generate", model="a", progress=True))
            told = iter(second)
            assert (
                next(told).items()
                >= {"status": "waiting", "position": 2, "reason": LOADING}.items()
            )
            both = [(1, "a:latest", LOADING), (2, "a:latest", LOADING)]
            until(lambda: waiting(server) == both, "both wait")
            refused = server.post("/api/generate", model="a")
            assert (refused.status, refused.error) == (503, BUSY)
            assert int(refused.headers["Retry-After"]) > 0
            first.close()
            until(lambda: len(waiting(server)) == 1, "who left gives its place up at once")
            assert next(told)["position"] == 1, "and who waits is told"
            assert is_running(runner)
        *_, last = told
        assert last["done_reason"] == "load"
        assert server.runners() == [runner]
        assert n_loads(server) == 1


def check_the_more_important_goes_first(server: Server) -> None:
    """For the place of a model that is busy, which is asked to go for it."""
    with ExitStack() as clients:
        stream = clients.enter_context(
            server.stream("/api/generate", model="a", prompt="the dog", options=ENDLESS)
        )
        assert next(iter(stream))["done"] is False
        usual, important = (
            clients.enter_context(
                server.sent("/api/generate", model=name, stream=False, priority=priority)
            )
            for name, priority in (("b", "normal"), ("c", "high"))
        )
        gone = [(1, "c:latest"), (2, "b:latest")]
        until(lambda: [row[:2] for row in waiting(server)] == gone, "both wait, in this order")
        until(
            lambda: {row[2] for row in waiting(server)} == {"another model is being unloaded"},
            "the one in use is to go",
        )
        assert server.loaded() == ["a:latest"], "and does not yet"
        stream.hang_up()
        assert read(important)[0] == 200
        assert read(usual)[0] == 200
        assert server.loaded() == ["b:latest"], "the last to be loaded"


def check_a_load_that_stalls_is_given_up(server: Server) -> None:
    """The message says how far it came; its runner is gone, and the next request gets another."""
    until(lambda: not server.loaded() and not server.runners(), "the place is free")
    with server.sent("/api/generate", model="a", stream=False) as client, stopped(server) as runner:
        status, said = read(client)
        assert status == 500
        assert "timed out waiting for model runner to start - progress 0." in said["error"]
        until(lambda: not is_running(runner), "its runner is ended")
    assert server.post("/api/generate", model="a", stream=False).status == 200


def test_waiting_for_loads(
    start: Start, endless_gguf: Path, tiny_gguf: Path, other_gguf: Path
) -> None:
    server = start(OLLAMA_MAX_LOADED_MODELS="1", OLLAMA_MAX_QUEUE="2", OLLAMA_LOAD_TIMEOUT="8s")
    for name, path in (("a", endless_gguf), ("b", tiny_gguf), ("c", other_gguf)):
        server.create(name, path)
    check_a_load_outlives_its_first_client(server)
    check_the_more_important_goes_first(server)
    server.post("/api/generate", model="b", keep_alive=0)
    check_a_load_that_stalls_is_given_up(server)


def data_bytes(pid: int) -> int:
    """What a process may write to (Linux)."""
    [line] = [
        each
        for each in Path(f"/proc/{pid}/status").read_text().splitlines()
        if each.startswith("VmData:")
    ]
    return int(line.split()[1]) * 1024


def test_a_load_that_runs_out_of_memory(start: Start, tmp_path: Path) -> None:
    """The kernel refuses what a runner allocates beyond a limit. Four contexts of 131,072 tokens
    take 256 MiB of cells and 512 of masks, one takes 192 in all.
    """
    server = start(OLLAMA_NUM_PARALLEL="4")
    server.create("wide", make_tiny_llama(tmp_path / "wide.gguf", n_ctx=1 << 19))

    def load(n_ctx: int) -> tuple[int, str]:
        answer = server.post(
            "/api/generate", model="wide", stream=False, options={"num_ctx": n_ctx}
        )
        return answer.status, "" if answer.status == 200 else answer.error

    assert load(1024) == (200, "")
    [runner] = server.runners()
    limit = data_bytes(runner) + 350 * MIB
    server.post("/api/generate", model="wide", keep_alive=0)
    server.wait_until_idle()
    resource.prlimit(server.pid, resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    assert load(1 << 17) == (200, ""), "tried again with a smaller pool"
    assert n_loads(server) == 3
    [row] = server.get("/api/ps").json["models"]
    assert row["context_length"] == 1 << 17
    status, said = load(1 << 19)
    assert status == 500
    assert "failed to allocate" in said, "in the engine's own words, after one more try"
    assert n_loads(server) == 5
    assert load(1024) == (200, ""), "nobody else suffers"
