"""Streams in which nothing is said for a while are kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import groupby

import pytest

from puna.errors import BadRequest
from puna.server.faults import OPENAI
from puna.server.openai.replies import IDLE
from puna.server.streams import EVENT_STREAM, Reply, Wire
from tests.fakes.asgi import Call, Client
from tests.server.scripted import run

SOON = 0.05


class Script:
    """Says what the test lets it say; an exception is raised."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    async def events(self) -> AsyncGenerator[bytes, None]:
        while (word := await self.words.get()) is not None:
            if isinstance(word, Exception):
                raise word
            yield word


def reply(
    script: Script, idle: bytes = IDLE, *, stream: bool = True, seconds: float = SOON
) -> Client:
    wire: Wire[bytes] = Wire(
        piece=bytes,
        whole=b"".join,
        is_final=lambda word: True,
        is_alone=lambda word: word == b"alone",
        envelope=OPENAI,
        stream_type=EVENT_STREAM,
        idle=idle,
        idle_seconds=seconds,
    )
    return Client(Reply(script.events(), wire, stream=stream, closing=asyncio.Event()))


async def until(call: Call, *pieces: bytes) -> None:
    """Wait until these were sent, one right after the other."""
    while pieces not in {
        tuple(call.pieces[at : at + len(pieces)]) for at in range(len(call.pieces))
    }:
        await call.until_sent(len(call.sent) + 1)


def test_a_wait_is_filled_before_and_within_an_answer() -> None:
    async def scene() -> None:
        script = Script()
        async with reply(script).open("POST", "/") as call:
            await until(call, IDLE, IDLE)
            script.words.put_nowait(b"a")
            await until(call, b"a", IDLE)
            script.words.put_nowait(b"b")
            script.words.put_nowait(None)
        assert (call.status, call.header("content-type")) == (200, "text/event-stream")
        kinds = [piece for piece, _ in groupby(call.pieces)]  # a busy machine may wait once more
        assert kinds == [IDLE, b"a", IDLE, b"b"]
        assert call.sent[-1]["more_body"] is False
        assert [message["type"] for message in call.sent].count("http.response.start") == 1

    run(scene())


def test_words_that_come_in_time_are_all_there_is() -> None:
    async def scene() -> None:
        script = Script()
        async with reply(script, seconds=60).open("POST", "/") as call:
            for _ in range(6):
                script.words.put_nowait(b"a")
                await asyncio.sleep(0)
            script.words.put_nowait(None)
        assert call.pieces == [b"a"] * 6

    run(scene())


def test_an_error_after_a_wait_is_told_in_the_stream() -> None:
    async def scene() -> None:
        script = Script()
        async with reply(script).open("POST", "/") as call:
            await until(call, IDLE)
            script.words.put_nowait(BadRequest("no"))
        assert call.status == 200
        assert call.pieces[-1].startswith(b'data: {"error":{"message":"no"')

    run(scene())


def test_what_would_have_been_alone_is_a_piece_after_a_wait() -> None:
    async def scene() -> None:
        script = Script()
        async with reply(script).open("POST", "/") as call:
            await until(call, IDLE)
            script.words.put_nowait(b"alone")
            script.words.put_nowait(None)
        assert call.pieces[-1] == b"alone"

    run(scene())


@pytest.mark.parametrize(("idle", "stream"), [(b"", True), (IDLE, False)])
def test_others_wait_in_silence(idle: bytes, stream: bool) -> None:
    async def scene() -> None:
        script = Script()
        async with reply(script, idle, stream=stream).open("POST", "/") as call:
            await asyncio.sleep(3 * SOON)
            assert call.sent == []
            script.words.put_nowait(BadRequest("no"))
        assert call.status == 400

    run(scene())


def test_who_hangs_up_in_a_wait_ends_everything() -> None:
    async def scene() -> None:
        async with reply(Script()).open("POST", "/") as call:
            await until(call, IDLE)
            call.hang_up()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scene())
