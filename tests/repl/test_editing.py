"""Editing a line at the prompt: keys, several lines, history, completion, the editor."""

from __future__ import annotations

from pathlib import Path

from tests.cli.terminal import ENTER, PROMPT, Start, leave
from tests.fakes.http_server import Reply, ScriptedServer
from tests.repl.scripted import said_to


def test_several_lines(start: Start, server: ScriptedServer) -> None:
    child = start()
    child.send('"""one' + ENTER)
    child.expect_exact("... ")
    child.send('two"""' + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    child.send("three\nfour" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    child.send("\x1b[200~five\rsix\x1b[201~")
    child.expect_exact("six")
    child.send(ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    said = said_to(server)
    assert said == ["one\ntwo", "three\nfour", "five\nsix"]


def test_ctrl_c_drops_a_line_that_is_half_written(start: Start, server: ScriptedServer) -> None:
    child = start()
    child.send("half a line")
    child.expect_exact("half a line")
    child.send("\x03")
    child.expect_exact("Use Ctrl + d or /bye to exit.")
    child.expect_exact(PROMPT)
    child.send("whole" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    assert server.requests("/api/chat")[0]["messages"] == [{"role": "user", "content": "whole"}]


def test_recall_and_editor(start: Start, server: ScriptedServer, tmp_path: Path) -> None:
    editor = tmp_path / "my editor"
    editor.write_text('#!/bin/sh\necho " and more" >> "$2"\n')
    editor.chmod(0o755)
    child = start(OLLAMA_EDITOR=str(editor).replace(" ", "\\ ") + " -x")
    child.send("first" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    child.send("\x1b[A")  # up
    child.expect_exact("first")
    child.send("\x07")  # Ctrl+G
    child.expect_exact("and more")
    child.send(ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    child.send("/edit second" + ENTER)
    child.expect_exact(">>> second and more")
    child.send("!" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    said = said_to(server)
    assert said == ["first", "first and more", "second and more!"]


COMPLETED: dict[str, tuple[str, str]] = {
    "a command": ("/cle\t", "Cleared session context"),
    "a word after it": ("/set form\t json", "Set format to 'json' mode."),
    "a parameter": ("/set parameter repeat_p\t 1", "Set parameter 'repeat_penalty' to '1'"),
    "a model": ("/list ti\t", "tiny:latest"),
    "what several begin with": ("/set no\tformat", "Disabled format."),
}


def test_tab_completes(start: Start, server: ScriptedServer, tmp_path: Path) -> None:
    server.script.replies["GET /api/tags"] = Reply({"models": [{"name": "tiny:latest"}]})
    (tmp_path / "a (b).txt").write_text("")
    child = start()
    for line, expected in COMPLETED.values():
        child.send(line)
        child.send(ENTER)
        child.expect_exact("\r\n")
        child.expect_exact(expected)
        child.expect_exact(PROMPT)
    for line in (f"read {tmp_path}/a\t", "one\ttwo"):
        child.send(line + ENTER)
        child.expect_exact("Hello you")
        child.expect_exact(PROMPT)
    leave(child)
    said = said_to(server)
    assert said == [f"read {tmp_path}/a\\ \\(b\\).txt", "one        two"]


def test_history_is_searched(start: Start, server: ScriptedServer) -> None:
    child = start()
    for line in ("apple", "berry"):
        child.send(line + ENTER)
        child.expect_exact("Hello you")
        child.expect_exact(PROMPT)
    child.send("\x12app")  # Ctrl+R
    child.expect_exact("I-search backward")
    child.send(ENTER)  # takes what was found
    child.send("\x05 pie" + ENTER)
    child.expect_exact("Hello you")
    child.expect_exact(PROMPT)
    leave(child)
    said = said_to(server)
    assert said == ["apple", "berry", "apple pie"]


KEYS: dict[str, tuple[str, str]] = {
    "to the beginning and the end": ("bc\x01a\x05d", "abcd"),
    "home and end": ("bc\x1b[Ha\x1b[Fd", "abcd"),
    "by a character": ("ad\x02b\x06\x1b[D\x1b[Cc\x7f", "abd"),
    "by a word": ("one two\x1bbx\x1bfy", "one xtwoy"),
    "delete before": ("abc\x08\x7f", "a"),
    "delete at the cursor": ("abc\x01\x1b[3~\x04", "c"),
    "a word before": ("one two\x1b\x7fx", "one x"),
    "a word before, too": ("one two\x17x", "one x"),
    "to the end": ("abc\x01\x06\x0b", "a"),
    "to the start": ("abc\x15d", "d"),
    "clear the screen": ("ab\x0cc", "abc"),
    "a line is joined": ("ab\n\x7fc", "abc"),
    "the line not sent is kept": ("new\x10\x0e", "new"),
}


def test_keys(start: Start, server: ScriptedServer) -> None:
    child = start()
    for keys, _ in KEYS.values():
        child.send(keys + ENTER)
        child.expect_exact("Hello you")
        child.expect_exact(PROMPT)
    leave(child)
    said = said_to(server)
    assert said == [text for _, text in KEYS.values()]
