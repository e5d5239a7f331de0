"""A machine for each test, and one server for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.http_server import ScriptedServer
from tests.launch.support import REPLIES, Machine


@pytest.fixture(scope="session")
def shared_server() -> Iterator[ScriptedServer]:
    with ScriptedServer(REPLIES) as server:
        yield server


@pytest.fixture
def machine(shared_server: ScriptedServer, tmp_path: Path) -> Machine:
    made = Machine(tmp_path, shared_server)
    made.home.mkdir()
    shared_server.script.replies = dict(REPLIES)
    return made
