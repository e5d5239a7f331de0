"""The prompt on a pseudo-terminal, before a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.support import environment
from tests.cli.terminal import PROMPT, Start, terminals
from tests.fakes.http_server import Reply, ScriptedServer
from tests.repl.scripted import ANSWER, MODEL


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        started.script.replies |= {
            "POST /api/show": Reply(MODEL),
            "POST /api/generate": Reply(lines=[{"done": True}]),
            "POST /api/chat": Reply(lines=ANSWER),
        }
        yield started


@pytest.fixture
def start(server: ScriptedServer, tmp_path: Path) -> Iterator[Start]:
    with terminals("run", "m", dimensions=(24, 80)) as spawn:

        def started(*args: str, **variables: str) -> pexpect.spawn[str]:
            child = spawn(args, environment(tmp_path, OLLAMA_HOST=server.url, **variables))
            child.expect_exact(PROMPT + "old?")
            child.expect_exact("Old!")
            child.expect_exact(PROMPT)
            return child

        yield started
