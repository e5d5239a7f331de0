"""What a person sees: the program on a pseudo-terminal, and a terminal emulator that reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.cli.terminal import terminals

__all__ = ["Screen", "screens"]

SECONDS = 60.0


class Screen:
    """The screen of one program; `lines` are without the blanks at their ends, as one sees them."""

    def __init__(self, child: pexpect.spawn[str], rows: int, columns: int) -> None:
        self.child = child
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)

    @property
    def lines(self) -> list[str]:
        """The rows down to the last one with text."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    @property
    def text(self) -> str:
        """All rows."""
        return "\n".join(self.lines)

    def colours(self, text: str) -> set[tuple[str, bool]]:
        """Foreground colour and boldness of the cells of a text, where it stands first."""
        for number, line in enumerate(self._screen.display):
            if (at := line.find(text)) >= 0:
                cells = [self._screen.buffer[number][at + n] for n in range(len(text))]
                return {(cell.fg, cell.bold) for cell in cells}
        raise AssertionError(f"{text!r} is not on the screen:\n{self.text}")

    def until(self, condition: Callable[[list[str]], bool] | str) -> None:
        """Read until the screen shows a text or fulfils the condition."""
        is_there = (lambda _: condition in self.text) if isinstance(condition, str) else condition
        deadline = time.monotonic() + SECONDS
        while not is_there(self.lines):
            assert time.monotonic() < deadline, f"never came: {condition!r}\n{self.text}"
            if not self._feed():
                assert is_there(self.lines), f"ended without {condition!r}\n{self.text}"
                return

    def press(self, keys: str, condition: Callable[[list[str]], bool] | str) -> None:
        """Send keys and wait for what they do."""
        self.child.send(keys)
        self.until(condition)

    def end(self) -> int | None:
        """Read to the end; the exit status."""
        while self._feed():
            pass
        self.child.close()
        status: int | None = self.child.exitstatus
        return status

    def _feed(self) -> bool:
        """Take what comes within a short time; False at the end."""
        try:
            self._stream.feed(self.child.read_nonblocking(65536, timeout=0.05))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True


@contextmanager
def screens(
    *first: str, dimensions: tuple[int, int] = (40, 100), cwd: Path | None = None
) -> Iterator[Callable[[tuple[str, ...], Mapping[str, str]], Screen]]:
    """As `terminals`, with a screen for each program."""
    with terminals(*first, dimensions=dimensions, cwd=cwd) as spawn:
        yield lambda args, env: Screen(spawn(args, env), *dimensions)
