"""The prompt of `puna run` on a real pseudo-terminal, against the real server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.e2e.server import Server, until
from tests.fakes.ggufs import WORDS

pytestmark = pytest.mark.e2e

PROMPT = ">>> "
ENTER = "\r"
ANY_WORD = "|".join(WORDS.split())
TWO_WORDS = f"({ANY_WORD})[ ,.]+({ANY_WORD})"
"""Part of what a random model says."""

Run = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Iterator[Run]:
    """Start `puna run` with a home of the test's own and wait for the prompt."""
    children: list[pexpect.spawn[str]] = []

    def spawn(model: str, *args: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "puna", "run", model, *args],
            env={**server.env, "PUNA_HOME": str(tmp_path / "puna")},
            encoding="utf-8",
            timeout=20,
            dimensions=(24, 80),
        )
        children.append(child)
        child.expect_exact(PROMPT)
        return child

    yield spawn
    for child in children:
        child.close(force=True)


def say(child: pexpect.spawn[str], line: str) -> None:
    """Enter a line and wait for the end of its echo."""
    child.send(line + ENTER)
    child.expect_exact("\r\n")


def leave(child: pexpect.spawn[str], keys: str) -> None:
    child.send(keys)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_conversation(run: Run, chatty: str) -> None:
    child = run(chatty)
    child.expect_exact("Send a message (/? for help)")
    for options, line in (("temperature 0", "Hi"), ("num_predict 6", "And?")):
        say(child, f"/set parameter {options}")
        child.expect_exact("Set parameter ")
        child.expect_exact(PROMPT)
        say(child, line)
        child.expect(TWO_WORDS)
        child.expect_exact(PROMPT)
    leave(child, "/bye" + ENTER)


def test_help_and_the_other_ways_out(run: Run) -> None:
    child = run("tiny")
    say(child, "/?")
    for line in ("Available Commands:", "/set ", "/show ", "/load ", "/bye ", '"""'):
        child.expect_exact(line)
    child.expect_exact(PROMPT)
    say(child, "/nonsense")
    child.expect_exact("Unknown command '/nonsense'. Type /? for help")
    child.expect_exact(PROMPT)
    child.send("\x03")
    child.expect_exact("Use Ctrl + d or /bye to exit.")
    child.expect_exact(PROMPT)
    leave(child, "\x04")


def test_ctrl_c_stops_an_answer_and_keeps_the_session(
    run: Run, server: Server, endless_gguf: Path
) -> None:
    server.create("endless", endless_gguf)
    child = run("endless", "--keepalive", "10m")
    say(child, "/set parameter num_ctx 32768")
    child.expect_exact(PROMPT)
    say(child, "the dog")
    child.expect(TWO_WORDS)
    child.sendintr()
    child.expect_exact(PROMPT)
    say(child, "/set parameter num_predict 6")
    child.expect_exact("Set parameter 'num_predict' to '6'")
    child.expect_exact(PROMPT)
    say(child, "the cat")
    child.expect(TWO_WORDS)
    child.expect_exact(PROMPT)
    # unloading waits for the answers under way: this shows that none is
    assert server.post("/api/generate", model="endless", keep_alive=0).status == 200
    until(lambda: "endless:latest" not in server.loaded(), "the stopped answer is over")
    leave(child, "\x04")


def test_history_across_sessions(run: Run, tmp_path: Path) -> None:
    child = run("tiny")
    say(child, "/set quiet")
    child.expect_exact(PROMPT)
    say(child, "/set parameter num_predict 4")
    child.expect_exact(PROMPT)
    leave(child, "/bye" + ENTER)
    history = tmp_path / "puna" / "history"
    assert history.read_text() == "/set quiet\n/set parameter num_predict 4\n/bye\n"
    assert history.stat().st_mode & 0o777 == 0o600
    child = run("tiny")
    child.send("\x1b[A" * 2)  # up
    child.expect_exact("/set parameter num_predict 4")
    child.send(ENTER)
    child.expect_exact("Set parameter 'num_predict' to '4'")
    child.expect_exact(PROMPT)
    leave(child, "\x04")


def test_a_story_on_a_terminal(run: Run, stories: str) -> None:
    child = run(stories)
    for line in ("/set parameter temperature 0", "/set parameter num_predict 20"):
        say(child, line)
        child.expect_exact("Set parameter ")
        child.expect_exact(PROMPT)
    say(child, "Once upon a time")
    child.expect_exact("there was a little girl named Lily.")
    child.expect_exact(PROMPT)
    say(child, "/show info")
    child.expect("architecture +llama")
    child.expect_exact(PROMPT)
    leave(child, "/bye" + ENTER)


def test_a_prompt_that_is_given_is_answered_at_once(server: Server, chatty: str) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "puna", "run", chatty, "Hi", "--verbose"],
        env=server.env,
        encoding="utf-8",
        timeout=20,
    )
    child.expect_exact("eval count:           5 token(s)")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
