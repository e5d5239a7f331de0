"""The prompt itself: read, run a command or ask the model, again until the user leaves.

Facts: CLI spec, sections 2.1 and 2.7.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Protocol

from puna.config import Settings
from puna.errors import ClientError
from puna.repl.blocks import Blocks, Entry
from puna.repl.commands import Leave, Prompt, make_completer, run_command
from puna.repl.history import History
from puna.repl.reader import Reader, make_reader
from puna.repl.session import Session
from puna.term.answer import print_answer, summary

__all__ = ["run_prompt"]

INTERRUPTED = "\nUse Ctrl + d or /bye to exit."
UPSTREAM = "An error occurred while processing your message. Please try again."
TELLABLE = ("does not support thinking", "invalid think value")


def run_prompt(session: Session, settings: Settings) -> None:
    """Talk until the user leaves. Raises ClientError if the session broke."""
    history = History(settings.home / "history", saving=not settings.no_history)
    history.load()
    reader = make_reader(history, settings.editor, make_completer(session))
    prompt = Prompt(session, history, settings.editor)
    for entry in entries(reader, history, prompt):
        try:
            with reader.waiting():
                take(entry, prompt)
        except KeyboardInterrupt:  # while a command waits for the server
            print()
        except Leave:
            return


class Drafting(Protocol):
    """What has a draft, which the next entry begins with."""

    draft: str


def entries(reader: Reader, history: History, place: Drafting) -> Iterator[Entry]:
    """What the user enters, until the end of the input; all of it goes into the history."""
    blocks = Blocks()
    while True:
        draft, place.draft = place.draft, ""
        try:
            line = reader.read(in_block=blocks.is_open, draft=draft)
        except KeyboardInterrupt:
            blocks.reset()
            print(INTERRUPTED)
            continue
        except EOFError:
            print()
            return
        history.add(line)
        entry = blocks.feed(line)
        if entry is not None:
            yield entry


def take(entry: Entry, prompt: Prompt) -> None:
    """Do what was entered. Raises Leave, or ClientError if the session broke."""
    session = prompt.session
    if entry.kind == "system":
        session.set_system(entry.text)
        print("Set system message.")
    elif entry.kind == "line" and entry.text.startswith("/") and not session.is_shown(entry.text):
        run_command(entry.text, prompt)
    elif entry.text:
        converse(entry.text, session)


def converse(text: str, session: Session) -> None:
    """Say something to the model and print its answer."""
    try:
        prompt = session.read(text)
    except ClientError as error:
        print(f"error: {error}")
        return
    try:
        answer = print_answer(session.ask(prompt), session.style)
    except ClientError as error:
        if "upstream error" in str(error):
            print(UPSTREAM)
        elif any(part in str(error) for part in TELLABLE):
            print(f"error: {error}")
        else:
            raise
        return
    print("\n")
    if not answer.finished:
        return
    session.keep(answer)
    if session.style.verbose:
        sys.stderr.write(summary(answer.metrics))
        sys.stderr.flush()
