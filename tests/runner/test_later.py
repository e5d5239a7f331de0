"""Orders that are prepared in a thread: what becomes of one that fails."""

from __future__ import annotations

import queue
from typing import Any, cast

import pytest

from puna.errors import BadRequest, EngineError, PunaError
from puna.runner.later import Later
from puna.runner.protocol import Generation
from puna.runner.running import Running

ORDER = Generation(prompt="x", n_ctx=64)
ERRORS: dict[str, tuple[Exception, type[PunaError], str]] = {
    "its own fault": (BadRequest("no such thing"), BadRequest, "no such thing"),
    "a fault of ours": (KeyError("grammars"), EngineError, "could not be prepared"),
}


@pytest.mark.parametrize(("error", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_one_that_fails_is_refused_and_the_next_is_admitted(
    error: Exception, kind: type[PunaError], message: str
) -> None:
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def prepare(id: int, order: Generation) -> Running:
        if id == 1:
            raise error
        return cast("Running", f"admitted {id}")

    later = Later(prepare, done.put, lambda id, refused: done.put((id, refused)))
    for id in (1, 2):
        later.take(id, ORDER)
    id, refused = done.get(timeout=10)
    assert (id, type(refused)) == (1, kind)
    assert message in str(refused)
    assert done.get(timeout=10) == "admitted 2"
