"""Who leaves ends the work for them, at whichever door they came in.

The runner then drops the sequence before its next step (tests/runner/test_loop.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from puna.api.events import Content
from tests.server.scripted import Held, client, run

HI = [{"role": "user", "content": "Hi"}]
ROUTES: dict[str, dict[str, Any]] = {
    "/api/generate": {"prompt": "Hi"},
    "/api/chat": {"messages": HI},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/chat/completions": {"messages": HI},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": HI, "max_tokens": 9},
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("path", "body"), ROUTES.items(), ids=ROUTES)
def test_the_work_ends_with_the_connection(
    path: str, body: dict[str, Any], *, stream: bool
) -> None:
    held = Held(Content("a"))

    async def leave() -> None:
        app = client(chat=held, generate=held)
        async with app.open("POST", path, {"model": "m", "stream": stream} | body) as call:
            await held.reached.wait()
            call.hang_up()
            async with asyncio.timeout(5):
                await held.cleaned.wait()

    run(leave())
    assert held.cleaned.is_set()
