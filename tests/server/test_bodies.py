"""What the bodies of all requests take together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest
from puna.errors import TooManyBodies
from puna.server.bodies import FREE_BYTES, Account, Bodies
from tests.server.scripted import Held, client, run, said


def test_large_bodies_are_counted_and_small_ones_are_not() -> None:
    bodies = Bodies(limit=100)
    large, small = Account(bodies), Account(bodies)
    large.add(FREE_BYTES)
    assert bodies.kept == 0
    large.add(100)
    assert bodies.kept == 100
    small.add(FREE_BYTES)
    with pytest.raises(TooManyBodies, match="requests of 100 bytes are under way"):
        small.add(1)
    with pytest.raises(TooManyBodies):
        large.add(1)
    large.close()
    small.add(1)
    assert bodies.kept == 1
    small.close()
    small.close()
    assert bodies.kept == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2 * FREE_BYTES))))
def test_nothing_is_kept_of_what_is_over(pieces: list[tuple[int, int]]) -> None:
    bodies = Bodies(limit=3 * FREE_BYTES)
    accounts = [Account(bodies) for _ in range(4)]
    for which, size in pieces:
        try:
            accounts[which].add(size)
        except TooManyBodies:
            accounts[which].close()
        assert 0 <= bodies.kept <= bodies.limit
    for account in accounts:
        account.close()
    assert bodies.kept == 0


def test_a_large_request_beside_another_is_told_to_come_back() -> None:
    body = {"model": "m", "prompt": "x" * (2 * FREE_BYTES)}
    bodies = Bodies(limit=3 * FREE_BYTES // 2)

    async def scene() -> None:
        held = Held()
        first = client(bodies=bodies, generate=held)
        async with first.open("POST", "/api/generate", body) as call:
            await held.reached.wait()
            late = await client(bodies=bodies).request("POST", "/api/generate", body)
            assert (late.status, late.header("retry-after")) == (503, "5")
            assert "are under way already" in late.json["error"]
            small = client(bodies=bodies, generate=said(Done("stop")))
            reply = await small.request("POST", "/api/generate", {"model": "m", "prompt": "x"})
            assert reply.status == 200
            call.hang_up()
        assert bodies.kept == 0

    run(scene())


def test_others_have_their_turns_while_a_body_of_many_values_is_read() -> None:
    body = {"model": "m", "prompt": "x", "more": [[] for _ in range(200_000)]}
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def scene() -> None:
        asked = client(generate=said(Done("stop")))
        async with asyncio.TaskGroup() as group:
            other = group.create_task(take_turns())
            reply = await asked.request("POST", "/api/generate", body)
            other.cancel()
        assert reply.status == 200
        assert turns > 300

    run(scene())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_large_bodies_are_translated_like_small_ones(path: str) -> None:
    heard: list[str] = []

    async def chat(order: ChatRequest) -> AsyncIterator[Event]:
        heard.extend(message.content for message in order.messages)
        yield Done("stop")

    async def scene() -> None:
        parts = [{"role": "user", "content": "x" * 1000}, {"role": "assistant", "content": "y"}]
        key = "input" if path.endswith("responses") else "messages"
        body = {"model": "m", "max_tokens": 1, key: parts * 100}
        reply = await client(chat=chat).request("POST", path, body)
        assert reply.status == 200
        assert heard == ["x" * 1000, "y"] * 100

    run(scene())
