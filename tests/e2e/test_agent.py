"""The agent with the model that comes with Puna, on the real server and a pseudo-terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from puna.service.bundled import BUNDLED
from tests.cli.support import puna
from tests.e2e.server import Server, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

ENTER = "\r"
WISH = 'Write "hello" to the file "notes.txt"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with cria under another name, which says the same each time."""
    home = tmp_path_factory.mktemp("home")
    with running_server(home) as started:
        (home / "Modelfile").write_text("FROM cria\nPARAMETER temperature 0\n")
        made = puna("create", "steady", "-f", str(home / "Modelfile"), env=started.env)
        assert made.returncode == 0, made.stderr
        yield started


def test_a_file_is_changed_after_approval_only(server: Server, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("old")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "puna", "run", "steady", "--agent", "--tools", "write", "--think=false"],
        env={**server.env, "TERM": "xterm-256color", "NO_COLOR": "1"},
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 120),
        cwd=str(tmp_path),
    )
    child.expect_exact("Agent with steady in")
    child.expect_exact(">>> ")
    for key, after in (("3", "old"), ("1", "hello")):
        child.send(WISH + ENTER)
        child.expect_exact(f"Replace {tmp_path}/notes.txt:")
        child.expect_exact("+ hello")
        child.expect_exact("3. Deny")
        assert notes.read_text() == "old"
        child.send(key)
        child.expect_exact("denied" if key == "3" else "Wrote notes.txt (5 bytes).")
        child.expect_exact(">>> ")
        assert notes.read_text() == after
        child.send("/new" + ENTER)
        child.expect_exact("Began a new conversation.")
        child.expect_exact(">>> ")
    child.send("/bye" + ENTER)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
