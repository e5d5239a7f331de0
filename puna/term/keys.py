"""What is typed while nothing reads it: it stays as it was typed, for the next prompt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

if sys.platform != "win32":
    import termios

__all__ = ["keeping_keys"]


@contextmanager
def keeping_keys() -> Iterator[None]:
    """Have the terminal keep keys unseen and unchanged until a prompt reads them.

    Left alone it would show them amid an answer, and turn Enter into a line feed, which at the
    prompt does not send. Ctrl+C interrupts as ever. Where there is no terminal, nothing changes.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        file = sys.stdin.fileno()
        before = termios.tcgetattr(file)
    except (OSError, ValueError, termios.error):
        yield
        return
    kept = termios.tcgetattr(file)
    kept[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
    kept[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    termios.tcsetattr(file, termios.TCSANOW, kept)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(file, termios.TCSANOW, before)
