"""Folders to work in, and the agent on a pseudo-terminal before a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.agent.scripted import MODEL
from tests.cli.support import environment
from tests.cli.terminal import Start, terminals
from tests.fakes.http_server import Reply, ScriptedServer


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file, a folder and links, beside a folder of others."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.txt").write_text("theirs")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa").write_text("key")
    place = tmp_path / "work"
    (place / "sub").mkdir(parents=True)
    (place / "a.txt").write_text("one\ntwo\nthree\n")
    (place / "out").symlink_to(tmp_path / "other")
    (place / "link.txt").symlink_to(place / "a.txt")
    (place / "pipe").symlink_to("/dev/zero")
    return place


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        started.script.replies |= {
            "POST /api/show": Reply(MODEL),
            "POST /api/generate": Reply(lines=[{"done": True}]),
            "GET /api/ps": Reply({"models": []}),
        }
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.txt").write_text("old\n")
    return folder


@pytest.fixture
def start(server: ScriptedServer, tmp_path: Path, folder: Path) -> Iterator[Start]:
    with terminals("run", "m", "--agent", dimensions=(40, 120), cwd=folder) as spawn:

        def started(*args: str, **variables: str) -> pexpect.spawn[str]:
            env = environment(tmp_path, OLLAMA_HOST=server.url, NO_COLOR="1", **variables)
            return spawn(args, env)

        yield started
