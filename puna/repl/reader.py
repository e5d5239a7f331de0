"""Reading a line: with prompt_toolkit on a terminal that can move its cursor, plainly on others.

Facts: CLI spec, sections 2.1 and 2.4.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.data_structures import Size
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import get_term_environment_variable, is_dumb_terminal

from puna.repl.editor import edit
from puna.repl.history import History

__all__ = ["Reader", "make_reader"]

PROMPT = ">>> "
CONTINUATION = "... "
PLACEHOLDER = "Send a message (/? for help)"
BLOCK_PLACEHOLDER = "Press Enter to send"
GREY = "fg:ansibrightblack"
TAB = " " * 8


class Reader(Protocol):
    """Where lines come from."""

    def read(self, *, in_block: bool) -> str:
        """The next line. Raises EOFError at the end and KeyboardInterrupt on Ctrl+C."""


class PlainReader:
    """For terminals without cursor movement."""

    def read(self, *, in_block: bool) -> str:
        """The next line of standard input."""
        sys.stdout.write(CONTINUATION if in_block else PROMPT)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")


class RichReader:
    """A line editor with history."""

    def __init__(self, history: History, editor: str) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(history.entries),
            key_bindings=make_keys(editor),
            multiline=True,
            prompt_continuation=CONTINUATION,
            enable_suspend=True,
            enable_history_search=False,
            output=make_output(),
        )

    def read(self, *, in_block: bool) -> str:
        """The next entry; it has more than one line if Ctrl+J or a paste put them there."""
        return self._session.prompt(
            CONTINUATION if in_block else PROMPT,
            placeholder=FormattedText([(GREY, BLOCK_PLACEHOLDER if in_block else PLACEHOLDER)]),
        )


def make_output() -> Output:
    """The terminal; it is not asked for its cursor position, since not every one answers."""
    if os.name == "nt":
        return create_output()

    def size() -> Size:
        columns, rows = shutil.get_terminal_size()
        return Size(rows=rows, columns=columns)

    return Vt100_Output(sys.stdout, size, get_term_environment_variable(), enable_cpr=False)


def make_keys(editor: str) -> KeyBindings:
    """The keys that differ from prompt_toolkit's."""
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("c-j")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("tab")
    def tab(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(TAB)

    @keys.add("c-g")
    def open_editor(event: KeyPressEvent) -> None:
        buffer = event.current_buffer

        def run() -> None:
            if text := edit(buffer.text, editor):
                buffer.text = text
                buffer.cursor_position = len(text)

        run_in_terminal(run)

    return keys


def make_reader(history: History, editor: str) -> Reader:
    """The best reader that this terminal allows."""
    if is_dumb_terminal():
        return PlainReader()
    try:
        return RichReader(history, editor)
    except OSError:  # a terminal that does not tell its size or modes
        return PlainReader()
