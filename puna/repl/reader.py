"""Reading a line: with prompt_toolkit on a terminal that can move its cursor, plainly on others.

Facts: CLI spec, sections 2.1 and 2.4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.filters import is_searching
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.utils import is_dumb_terminal

from puna.repl.editor import edit
from puna.repl.history import History
from puna.term.screen import make_output

__all__ = ["Extras", "Reader", "make_reader"]

PROMPT = ">>> "
CONTINUATION = "... "
PLACEHOLDER = "Send a message (/? for help)"
BLOCK_PLACEHOLDER = "Press Enter to send"
GREY = "fg:ansibrightblack"
TAB = " " * 8


@dataclass(frozen=True, slots=True)
class Extras:
    """What a prompt may have besides: keys, a text at the end of its line, completion while one
    types.
    """

    keys: KeyBindings = field(default_factory=KeyBindings)
    status: Callable[[], str] | None = None
    completes_while_typing: bool = False


class Reader(Protocol):
    """Where lines come from."""

    def read(self, *, in_block: bool, draft: str = "") -> str:
        """The next line, begun with `draft`. Raises EOFError at the end and KeyboardInterrupt on
        Ctrl+C.
        """

    def waiting(self) -> AbstractContextManager[None]:
        """While nothing is read, and what is typed or pasted waits for the next entry."""


class PlainReader:
    """For terminals without cursor movement."""

    def read(self, *, in_block: bool, draft: str = "") -> str:
        """The next line of standard input; a draft is shown, and an empty line sends it."""
        sys.stdout.write((CONTINUATION if in_block else PROMPT) + draft)
        sys.stdout.flush()
        with create_input().cooked_mode():
            line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n") or draft

    def waiting(self) -> AbstractContextManager[None]:
        """Nothing is done: such a terminal marks no pastes."""
        return nullcontext()


class RichReader:
    """A line editor with history."""

    def __init__(
        self,
        history: History,
        editor: str,
        completer: Completer | None,
        extras: Extras,
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(history.entries),
            key_bindings=merge_key_bindings([make_keys(editor), extras.keys]),
            completer=completer,
            complete_while_typing=extras.completes_while_typing,
            rprompt=_grey(extras.status) if extras.status else None,
            multiline=True,
            prompt_continuation=CONTINUATION,
            enable_suspend=True,
            enable_history_search=False,
            output=make_output(),
        )

    def read(self, *, in_block: bool, draft: str = "") -> str:
        """The next entry; it has more than one line if Ctrl+J or a paste put them there."""
        return self._session.prompt(
            CONTINUATION if in_block else PROMPT,
            default=draft,
            placeholder=FormattedText([(GREY, BLOCK_PLACEHOLDER if in_block else PLACEHOLDER)]),
        )

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The terminal goes on marking pastes: several lines stay one entry."""
        output = self._session.output
        output.enable_bracketed_paste()
        output.flush()
        try:
            yield
        finally:
            output.disable_bracketed_paste()
            output.flush()


def _grey(text: Callable[[], str]) -> Callable[[], FormattedText]:
    """The text while the line is edited; what was sent stays on the screen without it."""
    return lambda: FormattedText([] if get_app().is_done else [(GREY, text())])


def make_keys(editor: str) -> KeyBindings:
    """The keys that differ from prompt_toolkit's."""
    keys = KeyBindings()

    @keys.add("enter", filter=~is_searching)  # in a search, it takes what was found
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("c-j", filter=~is_searching)
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("tab")
    def complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        asked = CompleteEvent(completion_requested=True)
        found = list(islice(buffer.completer.get_completions(buffer.document, asked), 2))
        if not found:
            buffer.insert_text(TAB)
        elif len(found) == 1:
            buffer.apply_completion(found[0])
        else:
            buffer.start_completion(insert_common_part=True)

    @keys.add("c-g")
    def open_editor(event: KeyPressEvent) -> None:
        buffer = event.current_buffer

        def run() -> None:
            if text := edit(buffer.text, editor):
                buffer.text = text
                buffer.cursor_position = len(text)

        run_in_terminal(run)

    return keys


def make_reader(
    history: History,
    editor: str,
    completer: Completer | None = None,
    extras: Extras | None = None,
) -> Reader:
    """The best reader that this terminal allows."""
    if is_dumb_terminal():
        return PlainReader()
    try:
        return RichReader(history, editor, completer, extras or Extras())
    except OSError:  # a terminal that does not tell its size or modes
        return PlainReader()
