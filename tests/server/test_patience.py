"""Bodies that come slowly, by a clock and a client of the test's."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from puna.errors import TooSlow
from puna.server.patience import SLOWEST, patient
from tests.server.scripted import run


class Sender:
    """Sends pieces of a body, each of which takes some seconds of its own clock."""

    def __init__(self, *pieces: tuple[float, int]) -> None:
        self.pieces = list(pieces)
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def receive(self) -> Message:
        if not self.pieces:
            await asyncio.Event().wait()
        seconds, size = self.pieces.pop(0)
        self.now += seconds
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(self.pieces)}


def read(*pieces: tuple[float, int]) -> int:
    sender = Sender(*pieces)
    receive = patient(sender.receive, 10, sender.clock)

    async def scene() -> int:
        size = 0
        while True:
            message = await receive()
            size += len(message["body"])
            if not message["more_body"]:
                return size

    return asyncio.run(scene())


def test_a_steady_body_is_read() -> None:
    assert read(*[(1, SLOWEST)] * 100) == 100 * SLOWEST
    assert read((9, 1), (0, 1)) == 2


def test_a_trickle_is_not() -> None:
    with pytest.raises(TooSlow):
        read(*[(1, 10)] * 100)


def test_nothing_at_all_is_waited_for_only_so_long() -> None:
    async def scene() -> None:
        receive = patient(Sender().receive, 0.01)
        with pytest.raises(TooSlow):
            await receive()

    run(scene())


def test_after_the_body_a_client_may_be_silent() -> None:
    async def scene() -> None:
        receive = patient(Sender((0, 1)).receive, 0.01)
        await receive()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await receive()

    run(scene())
