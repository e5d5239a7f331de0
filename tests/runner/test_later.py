"""Orders that are prepared in a thread: what becomes of one that fails."""

from __future__ import annotations

import queue
from typing import Any, cast

from puna.errors import BadRequest
from puna.runner.later import Later
from puna.runner.protocol import Generation
from puna.runner.running import Running


def test_one_that_fails_is_refused_and_the_next_is_admitted() -> None:
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def prepare(id: int, order: Generation) -> Running:
        if id == 1:
            raise BadRequest("no such thing")
        return cast("Running", f"admitted {id}")

    later = Later(prepare, done.put, lambda id, refused: done.put((id, refused)))
    for id in (1, 2):
        later.take(id, Generation(prompt="x", n_ctx=64))
    id, refused = done.get(timeout=10)
    assert (id, type(refused), str(refused)) == (1, BadRequest, "no such thing")
    assert done.get(timeout=10) == "admitted 2"
