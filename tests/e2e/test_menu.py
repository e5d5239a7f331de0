"""The menu of `puna` alone, on a screen, against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna import __version__
from tests.cli.screen import Screen, screens
from tests.cli.support import puna
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

DOWN, RIGHT, ENTER, ESCAPE = "\x1b[B", "\x1b[C", "\r", "\x1b"


@pytest.fixture
def env(server: Server, tmp_path: Path) -> dict[str, str]:
    return {**server.env, "PUNA_HOME": str(tmp_path), "HOME": str(tmp_path)}


@pytest.fixture
def menu(env: dict[str, str]) -> Iterator[Screen]:
    """The menu of a user of one's own."""
    with screens() as start:
        screen = start((), env)
        screen.until("Show all commands")
        yield screen


@pytest.mark.usefixtures("chatty")
def test_a_chat_and_back(menu: Screen, tmp_path: Path) -> None:
    assert menu.lines[:5] == [
        f"Puna {__version__}",
        "",
        "> Chat with a model",
        "  Let a model work in this folder",
        "  Launch Claude Code",
    ]
    assert menu.lines[-3:] == ["  More...", "  List the models", "  Show all commands"]
    menu.press(ENTER, "Model:")
    menu.press("HATT", lambda lines: len(lines) == 3 and "> chatty" in lines[2])
    menu.press(ENTER, ">>> Send a message (/? for help)")
    menu.press(f"/bye{ENTER}", "> Chat with a model (chatty)")
    menu.press(RIGHT, "> chatty")
    menu.press("zzz", "(no matches)")
    menu.press("\x7f\x7f\x7fTINY", "> tiny")
    menu.press(ESCAPE, "> Chat with a model (chatty)")
    menu.child.send("q")
    assert menu.end() == 0
    state = json.loads((tmp_path / "config.json").read_text())
    assert state == {"last_model": "chatty", "last_selection": "run"}


def test_errors_and_commands_come_back_to_it(env: dict[str, str], tmp_path: Path) -> None:
    state = {"last_selection": "agent", "last_model": "tiny", "integrations": {"x": 1}}
    (tmp_path / "config.json").write_text(json.dumps(state))
    with screens() as start:
        menu = start((), env)
        menu.until("> Let a model work in this folder (tiny)")
        menu.press(ENTER, "Model:")  # tiny has no tools
        menu.press("tiny", lambda lines: lines[2].startswith("> tiny"))
        menu.press(ENTER, 'Error: model "tiny" does not support tools')
        menu.until("> Let a model work")
        menu.press("j" * 30, "> Show all commands")
        menu.press("k", "> List the models")
        menu.press(ENTER, "SIZE      MODIFIED")
        menu.until("> List the models")
        menu.press("\x03", lambda lines: "> List the models" not in "\n".join(lines))
        assert menu.end() == 0
    assert json.loads((tmp_path / "config.json").read_text()) == {
        **state,
        "last_selection": "list",
    }


def test_a_damaged_file_of_choices_is_named(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('["')
    with screens() as start:
        menu = start((), env)
        assert menu.end() == 1
        assert "Error: failed to parse config:" in menu.text


def test_a_program_is_launched_and_the_menu_comes_back(env: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "claude got $*"\n')
    program.chmod(0o755)
    state = {"last_selection": "claude", "integrations": {"claude": {"models": ["tiny"]}}}
    (tmp_path / "config.json").write_text(json.dumps(state))
    with screens() as start:
        menu = start((), {**env, "PATH": f"{program.parent}:{env['PATH']}"})
        menu.until("> Launch Claude Code (tiny)")
        menu.press(ENTER, "claude got --model tiny")
        menu.until("> Launch Claude Code (tiny)")
        menu.press(RIGHT, "> tiny")
        menu.press(ESCAPE, "> Launch Claude Code (tiny)")
        menu.press("j" * 30, "> Show all commands")
        menu.press("kk", "> More...")
        menu.press(ENTER, lambda lines: "> Launch" in "".join(lines) and "  More..." not in lines)
        menu.press("j" * 30, "  Launch Qwen Code")
        menu.child.send("q")
        assert menu.end() == 0


def test_where_no_menu_can_be_the_help_is(env: dict[str, str]) -> None:
    text = puna("help", env=env).stdout
    assert puna(env=env).stdout == text
    with screens(dimensions=(60, 100)) as start:
        for args, more in (((), {"TERM": "dumb"}), (("--help",), {})):
            dumb = start(args, {**env, **more})
            assert dumb.end() == 0
            assert dumb.lines == text.rstrip().split("\n")
