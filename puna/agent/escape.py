"""Esc stops the agent while it works; what else is typed meanwhile waits for the next line.

Facts: CLI spec, section 5.4.
"""

from __future__ import annotations

import codecs
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prompt_toolkit.application.current import get_app_session
from prompt_toolkit.input.typeahead import clear_typeahead, store_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.utils import is_dumb_terminal

from puna.agent.approvals import Approvals, Ask, Choice, Wish

if sys.platform != "win32":
    import termios

__all__ = ["Escape", "forget_keys"]

_ESC = b"\x1b"
_SECONDS = 0.05  # in which the rest of a key comes that only begins with Esc


class Escape:
    """Watches the keys of the terminal, where there is one. For the main thread."""

    def __init__(self) -> None:
        self._watch: _Watch | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While this lasts, Esc does what Ctrl+C does."""
        self._begin()
        try:
            yield
        finally:
            self._end()

    def pausing(self, ask: Ask) -> Ask:
        """A question that has the keys for itself."""

        def asked(wishes: Sequence[Wish], approvals: Approvals) -> Choice:
            was_watched = self._watch is not None
            self._end()
            try:
                return ask(wishes, approvals)
            finally:
                if was_watched:
                    self._begin()

        return asked

    def _begin(self) -> None:
        if sys.platform != "win32" and sys.stdin.isatty() and not is_dumb_terminal():
            self._watch = _Watch(sys.stdin.fileno())

    def _end(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()


class _Watch:
    """A thread that reads a terminal in which keys come at once and are not shown."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._typed: list[KeyPress] = []
        self._before = termios.tcgetattr(terminal)
        mode = termios.tcgetattr(terminal)
        mode[0] &= ~termios.ICRNL
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        self._ended, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._read, name="escape", daemon=True)
        termios.tcsetattr(terminal, termios.TCSANOW, mode)
        self._thread.start()

    def end(self) -> None:
        """Give the terminal back; what was typed comes first in what reads it next."""
        try:
            os.close(self._stop)
            self._thread.join()
        finally:
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)
            store_typeahead(get_app_session().input, self._typed)

    def _read(self) -> None:
        parser = Vt100Parser(self._typed.append)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            ready, _, _ = select.select([self._terminal, self._ended], [], [])
            if self._ended in ready:
                break
            try:
                data = os.read(self._terminal, 1024)
            except OSError:  # it was closed
                data = b""
            if not data:
                break
            if data == _ESC and not select.select([self._terminal], [], [], _SECONDS)[0]:
                main = threading.main_thread().ident
                signal.pthread_kill(main or 0, signal.SIGINT)
            else:
                parser.feed(decoder.decode(data))
        parser.flush()
        os.close(self._ended)


def forget_keys() -> None:
    """Drop what was typed so far."""
    if sys.platform != "win32" and sys.stdin.isatty():
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        clear_typeahead(get_app_session().input)
