"""What is prepared in a thread: what becomes of one that fails, and of one that nobody wants."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest

from puna.errors import BadRequest
from puna.runner.later import Later, has_long_text
from puna.runner.protocol import Embedding, Generation
from puna.runner.wire import Admit, Cancel, Embed, Tokenize, ToRunner


def test_one_that_fails_is_refused_and_the_next_is_admitted() -> None:
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def prepare(id: int, asked: str) -> str:
        if id == 1:
            raise BadRequest("no such thing")
        return f"{asked} {id}"

    later = Later(prepare, done.put, lambda id, refused: done.put((id, refused)), done.put)
    for id in (1, 2):
        later.take(id, "admitted")
    id, refused = done.get(timeout=10)
    assert (id, type(refused), str(refused)) == (1, BadRequest, "no such thing")
    assert done.get(timeout=10) == "admitted 2"


def test_what_nobody_wants_any_more_is_not_prepared_or_dropped() -> None:
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    begun, go_on = threading.Event(), threading.Event()
    prepared: list[int] = []

    def prepare(id: int, asked: str) -> str:
        prepared.append(id)
        begun.set()
        assert go_on.wait(timeout=10)
        return f"{asked} {id}"

    def dropped(made: str) -> None:
        done.put(f"dropped {made}")

    later = Later(prepare, done.put, lambda id, refused: done.put(refused), dropped)
    for id in (1, 2, 3):
        later.take(id, "text")
    assert begun.wait(timeout=10)
    later.cancel(1)
    later.cancel(2)
    go_on.set()
    assert [done.get(timeout=10) for _ in range(2)] == ["dropped text 1", "text 3"]
    assert prepared == [1, 3]


LONG = "x" * 70_000
MESSAGES: dict[str, tuple[ToRunner, bool]] = {
    "a long prompt": (Admit(1, Generation(prompt=LONG, n_ctx=64)), True),
    "a short prompt": (Admit(1, Generation(prompt="x", n_ctx=64)), False),
    "many inputs": (Embed(1, Embedding(inputs=("x" * 1000,) * 70, n_ctx=64)), True),
    "few inputs": (Embed(1, Embedding(inputs=("x" * 1000,) * 7, n_ctx=64)), False),
    "a long text": (Tokenize(1, LONG, special=True), True),
    "no text": (Cancel(1), False),
}


@pytest.mark.parametrize(("message", "is_long"), MESSAGES.values(), ids=MESSAGES)
def test_what_is_long(message: ToRunner, is_long: bool) -> None:
    assert has_long_text(message) is is_long
