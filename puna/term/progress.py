"""Spinners and bars on standard error. On anything but a terminal: plain lines, no escape codes.

Facts: CLI spec, section 1.4.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, TextIO

from puna.fmt import SECOND, format_duration, human_bytes
from puna.term.present import moves_cursor
from puna.term.width import cut_text, text_width

__all__ = ["Bar", "Progress", "Spinner", "make_frame"]

TICK_SECONDS = 0.1
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SAMPLES = 10
DEFAULT_COLUMNS = 80
DEFAULT_LINES = 24

Clock = Callable[[], float]


class State(Protocol):
    """One line of progress."""

    def line(self, columns: int) -> str:
        """How the line looks now."""

    def plain(self) -> str:
        """How it is told where there is no terminal."""

    def stop(self) -> None:
        """It will not change any more."""


class Spinner:
    """A message with a turning sign behind it."""

    def __init__(self, message: str = "", clock: Clock = time.monotonic) -> None:
        self.message = message
        self._clock = clock
        self._started = clock()
        self._stopped = False

    def line(self, columns: int) -> str:
        """The message, and the sign while it is under way."""
        text = f"{self.message} " if self.message else ""
        if self._stopped:
            return text
        step = int((self._clock() - self._started) / TICK_SECONDS)
        return f"{text}{FRAMES[step % len(FRAMES)]} "

    def plain(self) -> str:
        """The message."""
        return self.message

    def stop(self) -> None:
        """Take the sign away."""
        self._stopped = True


class Bar:
    """A label, how many of `total` bytes are done, how fast, and how long it will take.

    `completed` bytes were there before the work began: they do not count for how fast it is.
    """

    def __init__(
        self, label: str, total: int, clock: Clock = time.monotonic, *, completed: int = 0
    ) -> None:
        self.label = label
        self.total = total
        self.completed = min(completed, total)
        self._clock = clock
        self._samples = [(clock(), self.completed)]
        self._stopped = False

    def set(self, completed: int) -> None:
        """Say how many bytes are done."""
        self.completed = min(completed, self.total)
        now = self._clock()
        if now - self._samples[-1][0] >= 1.0:
            self._samples = [*self._samples, (now, self.completed)][-SAMPLES:]

    def rate(self) -> float:
        """Bytes per second over the last samples; 0 before the first second is over."""
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def line(self, columns: int) -> str:
        """Label, percentage, blocks and figures in a line of `columns`."""
        done, total = (self.completed, self.total) if self.total else (1, 1)
        before = f"{self.label} {done * 100 // total:>3}%"
        after = self._figures()
        cells = max(0, columns - text_width(before) - text_width(after) - 5)
        filled = cells * done // total
        return f"{before} ▕{'█' * filled}{' ' * (cells - filled)}▏ {after}"

    def _figures(self) -> str:
        total = f"{human_bytes(self.total):>6}"
        if self._stopped or self.completed >= self.total:
            return f"{total}{'':>25}"
        rate = self.rate()
        speed, left = "", ""
        if rate > 0:
            speed = f"{human_bytes(int(rate)):>6}/s"
            left = time_left((self.total - self.completed) / rate)
        return f"{human_bytes(self.completed):>6}/{total}  {speed:>8}  {left:>6}"

    def plain(self) -> str:
        """The label and the size."""
        return f"{self.label} {human_bytes(self.total)}"

    def stop(self) -> None:
        """Show the total only."""
        self._stopped = True


def time_left(seconds: float) -> str:
    """A short duration: `99h+`, `2h5m`, `1m30s`."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    if hours >= 100:
        return "99h+"
    return f"{hours}h{rest // 60}m" if hours else format_duration(whole * SECOND)


def make_frame(lines: Sequence[str], previous: int) -> str:
    """The codes that draw `lines` over a frame of `previous` lines."""
    up = f"\x1b[{previous - 1}A" if previous > 1 else ""
    body = "\n".join(f"{line}\x1b[K" for line in lines)
    return f"\x1b[?2026h\x1b[?25l{up}\x1b[1G{body}\x1b[?25h\x1b[?2026l"


def terminal_size(out: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal that `out` is; standard output may be another file."""
    try:
        size = os.get_terminal_size(out.fileno())
    except OSError:  # no file at all
        size = os.terminal_size((0, 0))
    if size.columns > 0 and size.lines > 0:
        return size
    return shutil.get_terminal_size((DEFAULT_COLUMNS, DEFAULT_LINES))


class Progress:
    """The lines of one operation, drawn ten times a second while it runs; use it with `with`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = moves_cursor(out)
        self._states: list[State] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._drawn = 0
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        if self._live:
            self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def add(self, state: State) -> None:
        """Put a line under the others."""
        with self._lock:
            self._states.append(state)
            if not self._live and (text := state.plain()):
                self._out.write(text + "\n")
                self._out.flush()

    def stop(self) -> None:
        """Leave the last frame on the screen. A second call does nothing."""
        if self._end():
            for state in self._states:
                state.stop()
            self._draw(is_last=True)
            if self._drawn:
                self._out.write("\n")
            self._out.flush()

    def clear(self) -> None:
        """Take all lines off the screen. A second call does nothing."""
        if self._end() and self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._out.write(f"{up}\x1b[1G\x1b[J\x1b[?25h")
            self._out.flush()

    def _end(self) -> bool:
        """Stop the ticker; False if it was stopped before."""
        if self._ended.is_set():
            return False
        self._ended.set()
        if self._live and self._ticker.ident is not None:
            self._ticker.join()
        return self._live

    def _tick(self) -> None:
        while not self._ended.is_set():
            self._draw()
            self._ended.wait(TICK_SECONDS)

    def _draw(self, *, is_last: bool = False) -> None:
        size = terminal_size(self._out)
        with self._lock:
            lines = [state.line(size.columns) for state in self._states][-size.lines :]
            if not lines:
                return
            if not is_last:  # a line that goes on in the next row would be counted as one
                lines = [cut_text(line, size.columns - 1) for line in lines]
            self._out.write(make_frame(lines, self._drawn))
            self._out.flush()
            self._drawn = len(lines)
