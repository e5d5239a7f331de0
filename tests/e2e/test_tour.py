"""What a new user does first, from an empty home on: every step at a terminal, with the model that
comes with Puna.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from puna.service.bundled import BUNDLED
from tests.cli.support import environment
from tests.cli.terminal import ENTER, PROMPT, Start, leave, terminals
from tests.e2e.server import end_processes, free_port, processes, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]

WISH = 'Write "hello" to the file "notes.txt"'


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Runs commands in the folder `work` of a home in which nothing is yet."""
    (tmp_path / "work").mkdir()
    address = f"127.0.0.1:{free_port()}"
    env = environment(tmp_path, OLLAMA_HOST=address, PUNA_NO_START="0", NO_COLOR="1")
    with terminals(dimensions=(40, 120), cwd=tmp_path / "work") as spawn:
        yield lambda *words: spawn(words, env)
    end_processes(tmp_path, "serve")
    until(lambda: not processes(tmp_path, "puna."), "the server and its runner are gone")


def said(start: Start, *words: str) -> list[str]:
    """The lines that a command prints, which must end well."""
    child = start(*words)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return str(child.before).split("\r\n")


def names(lines: list[str]) -> list[str]:
    """The first column of a table."""
    return [line.split()[0] for line in lines[1:] if line]


def test_the_first_hour(start: Start, tmp_path: Path) -> None:
    assert processes(tmp_path, "serve") == []
    child = start("run", "cria")
    child.expect_exact(PROMPT)
    assert len(processes(tmp_path, "serve")) == 1
    for line, answer in (
        ("/set parameter temperature 0", "Set parameter 'temperature' to '0'"),
        ("/set nothink", "Set 'nothink' mode."),
        ("/save steady", "Created new model 'steady'"),
        ("What is the capital of France?", "Paris"),
        ("/save mine", "Created new model 'mine'"),
    ):
        child.send(line + ENTER)
        child.expect_exact("\r\n")
        child.expect_exact(answer)
        child.expect_exact(PROMPT)
    leave(child)

    rows = said(start, "list")
    assert [row.split()[0] for row in rows if row] == [
        "NAME",
        "mine:latest",
        "steady:latest",
        "cria:latest",
    ]

    notes = tmp_path / "work" / "notes.txt"
    notes.write_text("old")
    child = start("run", "steady", "--agent", "--tools", "write", "--think=false")
    child.expect_exact(f"Agent with steady in {tmp_path}/work")
    child.expect_exact(PROMPT)
    for key, told, after in (
        ("3", "denied", "old"),
        ("1", "Wrote notes.txt (5 bytes).", "hello"),
    ):
        child.send(WISH + ENTER)
        child.expect_exact(f"Replace {notes}:")
        child.expect_exact("+ hello")
        child.expect_exact("3. Deny")
        assert notes.read_text() == "old"
        child.send(key)
        child.expect_exact(told)
        child.expect_exact(PROMPT)
        assert notes.read_text() == after
        child.send("/new" + ENTER)
        child.expect_exact("Began a new conversation.")
        child.expect_exact(PROMPT)
    leave(child)

    assert names(said(start, "ps")) == ["cria:latest"]  # whose weights are those of steady
    said(start, "stop", "cria")
    until(lambda: names(said(start, "ps")) == [], "the model is unloaded")
    assert len(processes(tmp_path, "serve")) == 1
