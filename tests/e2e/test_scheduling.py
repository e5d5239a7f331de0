"""Who stays loaded, who goes, who waits, who is sent away.

The numbers are those of the API spec's checklist, section 23.
"""

from __future__ import annotations

import os
import select
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.server import SECONDS, Answer, Server, Stream, digest_of, until

pytestmark = pytest.mark.e2e

BUSY = "server busy, please try again.  maximum pending requests exceeded"
ENDLESS = {"temperature": 1, "num_ctx": 32768, "num_predict": -1}


def ask(server: Server, model: str, **fields: Any) -> None:
    server.generate(
        model, "the dog", options={"num_predict": 3, **fields.pop("options", {})}, **fields
    )


def rest_of(server: Server, model: str) -> timedelta:
    """How long /api/ps says that the model will stay."""
    [row] = [row for row in server.get("/api/ps").json["models"] if row["name"] == model]
    text = row["expires_at"]
    moment = datetime.fromisoformat(text[:19] + text[-6:].replace("Z", "+00:00")[-6:])
    return moment - datetime.now(UTC)


def occupied(server: Server, model: str, open_requests: ExitStack) -> Stream:
    """An answer of the model that does not end; the model is loaded and in use."""
    stream = open_requests.enter_context(
        server.stream("/api/generate", model=model, prompt="the dog", options=ENDLESS)
    )
    assert next(iter(stream))["done"] is False
    return stream


def test_keep_alive(start: Start, tiny_gguf: Path) -> None:
    """79, 101"""
    server = start()
    server.create("tiny", tiny_gguf)
    ask(server, "tiny")
    assert timedelta(minutes=4) < rest_of(server, "tiny:latest") <= timedelta(minutes=5)
    [runner] = server.runners()
    ask(server, "tiny", keep_alive="1h")
    ask(server, "tiny")
    assert timedelta(minutes=59) < rest_of(server, "tiny:latest") <= timedelta(hours=1)
    ask(server, "tiny", keep_alive=-1)
    assert rest_of(server, "tiny:latest") > timedelta(days=100 * 365)
    ask(server, "tiny", keep_alive=600)
    assert timedelta(minutes=9) < rest_of(server, "tiny:latest") <= timedelta(minutes=10)
    assert server.runners() == [runner]
    ask(server, "tiny", keep_alive=0)
    server.wait_until_idle()


def test_the_default_keep_alive(start: Start, tiny_gguf: Path) -> None:
    server = start(OLLAMA_KEEP_ALIVE="300ms")
    server.create("tiny", tiny_gguf)
    ask(server, "tiny")
    server.wait_until_idle()
    ask(server, "tiny", keep_alive=-1)
    assert rest_of(server, "tiny:latest") > timedelta(days=100 * 365)


def test_an_unload_waits_for_the_answers_under_way(start: Start, endless_gguf: Path) -> None:
    server = start()
    server.create("endless", endless_gguf)
    with ExitStack() as open_requests:
        stream = occupied(server, "endless", open_requests)
        unload = server.post("/api/generate", model="endless", keep_alive=0)
        assert unload.json["done_reason"] == "unload"
        lines = iter(stream)
        for _ in range(50):
            assert next(lines)["done"] is False
        stream.hang_up()
        server.wait_until_idle()


def test_the_least_recently_used_model_goes(
    start: Start, tiny_gguf: Path, other_gguf: Path, endless_gguf: Path
) -> None:
    server = start(OLLAMA_MAX_LOADED_MODELS="2")
    for name, path in (("a", tiny_gguf), ("b", other_gguf), ("c", endless_gguf)):
        server.create(name, path)
    ask(server, "a")
    ask(server, "b")
    assert sorted(server.loaded()) == ["a:latest", "b:latest"]
    for _ in range(10):  # so that b is unused for long even if its load took longer than a's
        ask(server, "a")
    ask(server, "c")
    assert sorted(server.loaded()) == ["a:latest", "c:latest"]
    until(lambda: len(server.runners()) == 2, "the runner of b ends")


def test_one_place_for_two_models(start: Start, tiny_gguf: Path, other_gguf: Path) -> None:
    server = start(OLLAMA_MAX_LOADED_MODELS="1")
    names = [server.create("a", tiny_gguf), server.create("b", other_gguf)]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask, server, names[n % 2]) for n in range(8)]:
            done.result()
    assert len(server.loaded()) == 1
    until(lambda: len(server.runners()) == 1, "the other runner ends")


def test_who_waits_is_served_when_the_busy_model_is_free(
    start: Start, tiny_gguf: Path, endless_gguf: Path
) -> None:
    server = start(OLLAMA_MAX_LOADED_MODELS="1")
    server.create("tiny", tiny_gguf)
    server.create("endless", endless_gguf)
    with ThreadPoolExecutor(1) as pool, ExitStack() as open_requests:
        stream = occupied(server, "endless", open_requests)
        waiting = pool.submit(ask, server, "tiny")
        lines = iter(stream)
        for _ in range(100):  # nobody takes the place from an answer under way
            assert next(lines)["done"] is False
        assert not waiting.done()
        stream.hang_up()
        waiting.result()
    assert server.loaded() == ["tiny:latest"]


def test_a_full_queue(start: Start, tiny_gguf: Path, other_gguf: Path, endless_gguf: Path) -> None:
    """100. Of two that would have to wait one may, whichever comes first."""
    server = start(OLLAMA_MAX_LOADED_MODELS="1", OLLAMA_MAX_QUEUE="1")
    for name, path in (("a", tiny_gguf), ("b", other_gguf), ("endless", endless_gguf)):
        server.create(name, path)

    def load(name: str) -> Answer:
        return server.post("/api/generate", model=name)

    # the pool waits for its orders, so the streams must end first
    with ThreadPoolExecutor(2) as pool, ExitStack() as open_requests:
        stream = occupied(server, "endless", open_requests)
        orders = [pool.submit(load, name) for name in ("a", "b")]
        until(lambda: any(order.done() for order in orders), "one of them is sent away")
        [refused] = [order for order in orders if order.done()]
        assert (refused.result().status, refused.result().error) == (503, BUSY)
        stream.hang_up()
        [waiting] = [order for order in orders if order is not refused]
        assert (waiting.result().status, waiting.result().json["done_reason"]) == (200, "load")


def test_who_hangs_up_while_waiting_gives_the_place_up(
    start: Start, tiny_gguf: Path, other_gguf: Path, endless_gguf: Path
) -> None:
    server = start(OLLAMA_MAX_LOADED_MODELS="1", OLLAMA_MAX_QUEUE="1")
    for name, path in (("a", tiny_gguf), ("b", other_gguf), ("endless", endless_gguf)):
        server.create(name, path)
    with ExitStack() as open_requests:
        stream = occupied(server, "endless", open_requests)
        with (
            server.sent("/api/generate", model="a") as one,
            server.sent("/api/generate", model="a") as two,
        ):
            ready, _, _ = select.select([one.sock, two.sock], [], [], SECONDS)
            assert len(ready) == 1, "one is sent away, so the other is in the queue"
        stream.hang_up()
        assert server.post("/api/generate", model="b").status == 200
    [blob] = [name for name in server.files() if digest_of(tiny_gguf.read_bytes())[7:] in name]
    assert f"loading {server.store / blob}" not in server.log


def test_two_names_share_a_runner(start: Start, tiny_gguf: Path) -> None:
    """102"""
    server = start()
    server.create("one", tiny_gguf)
    assert server.post("/api/copy", source="one", destination="two").status == 200
    ask(server, "one")
    [runner] = server.runners()
    ask(server, "two")
    assert server.runners() == [runner]
    assert server.loaded() == ["one:latest"]


def test_what_reloads_a_model(start: Start, tiny_gguf: Path) -> None:
    """103. A smaller context is served by the runner of a larger one."""
    server = start()
    server.create("tiny", tiny_gguf)
    ask(server, "tiny", options={"num_ctx": 128})
    [runner] = server.runners()
    ask(server, "tiny", options={"num_ctx": 128, "temperature": 1, "top_k": 3, "stop": ["x"]})
    assert server.runners() == [runner]
    ask(server, "tiny", options={"num_ctx": 256})
    assert runner not in server.runners()
    [row] = server.get("/api/ps").json["models"]
    assert row["context_length"] == 256


def test_a_runner_that_hangs_is_ended_and_the_next_request_gets_a_fresh_one(
    start: Start, endless_gguf: Path
) -> None:
    server = start(PUNA_STEP_TIMEOUT="1s")
    server.create("endless", endless_gguf)
    with ExitStack() as open_requests:
        stream = occupied(server, "endless", open_requests)
        [runner] = server.runners()
        os.kill(runner, signal.SIGSTOP)
        *_, last = stream
        assert "unexpectedly stopped" in last["error"]
        assert "did not end a step" in last["error"]
    ask(server, "endless")
    [fresh] = server.runners()
    assert fresh != runner
