"""Many requests, a third of which hang up, leave nothing behind; bench/soak.py is the long form."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from bench.soak import flood, kept
from tests.e2e.server import Server, until

pytestmark = pytest.mark.e2e


def is_told(server: Server, line: bytes) -> bool:
    """Whether the metrics have it."""
    return line in server.get("/metrics").body


def test_nothing_stays_of_many_requests(server: Server) -> None:
    def ask(n_requests: int) -> None:
        tally = asyncio.run(flood(server.port, "tiny", n_requests, random.Random(1), at_once=32))
        assert not tally.errors
        assert tally.answered + tally.left == n_requests
        assert tally.left > n_requests // 5

    ask(64)  # threads and connections that are kept on purpose are there now
    before = kept(server.pid)
    ask(200)
    until(lambda: kept(server.pid).descriptors <= before.descriptors, "every connection is closed")
    after = kept(server.pid)
    for state in ("running", "waiting"):
        none = f"puna_{state}_requests 0.0".encode()
        until(partial(is_told, server, none), f"nobody is {state}")
    assert after.threads <= before.threads + 2
    assert after.children <= before.children
