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
URL = "https://pictures.example/a.png"
SOURCE = {"type": "url", "url": URL}
ROUTES: dict[str, dict[str, Any]] = {
    "/api/generate": {"prompt": "Hi"},
    "/api/chat": {"messages": HI},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/chat/completions": {"messages": HI},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": HI, "max_tokens": 9},
}


IMAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": URL}]}]},
    ),
    "responses": (
        "/v1/responses",
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
    ),
    "messages": (
        "/v1/messages",
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": SOURCE}]},
            ],
            "max_tokens": 9,
        },
    ),
}


@pytest.mark.parametrize("closes", [False, True], ids=["hang-up", "the server ends"])
@pytest.mark.parametrize(("path", "body"), IMAGES.values(), ids=IMAGES)
def test_images_are_fetched_no_longer_than_somebody_waits(
    path: str, body: dict[str, Any], *, closes: bool
) -> None:
    begun, ended, closing = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def fetch(url: str) -> bytes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async def leave() -> int:
        app = client(fetch_image=fetch, closing=closing)
        async with app.open("POST", path, {"model": "m"} | body) as call:
            await begun.wait()
            if closes:
                closing.set()
            else:
                call.hang_up()
            async with asyncio.timeout(5):
                await ended.wait()
        return call.status

    assert run(leave()) == (503 if closes else 499)


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
