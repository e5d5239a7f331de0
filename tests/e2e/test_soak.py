"""Many requests, a third of which hang up, leave nothing behind; bench/soak.py is the long form."""

from __future__ import annotations

import asyncio
import random

import pytest

from bench.soak import flood, kept
from tests.e2e.server import Server, until

pytestmark = pytest.mark.e2e


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
        until(lambda none=none: none in server.get("/metrics").body, f"nobody is {state}")  # type: ignore[misc]
    assert after.threads <= before.threads + 2
    assert after.children <= before.children
