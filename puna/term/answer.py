"""Printing an answer while it arrives: thoughts, wrapped text, calls, statistics.

Facts: CLI spec, sections 1.6 and 2.7.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TextIO

from puna.client.replies import Metrics, Piece, ToolCall
from puna.fmt import SECOND, format_duration
from puna.term.present import has_colours, moves_cursor
from puna.term.progress import DEFAULT_COLUMNS, Progress, Spinner
from puna.term.safe import safe_text
from puna.term.wrap import Wrapper

__all__ = ["CHARACTERS_A_TOKEN", "Answer", "Style", "print_answer", "summary"]

GREY = "\x1b[38;5;245m"
BOLD = "\x1b[1m"
RESET = "\x1b[0m"
CHARACTERS_A_TOKEN = 4
"""About as many, where nobody has counted."""


@dataclass(frozen=True, slots=True)
class Style:
    """How answers are shown."""

    wrap: bool = True
    hide_thinking: bool = False
    verbose: bool = False
    folds_thinking: bool = False
    """Whether of thoughts only their length is shown, on a terminal."""
    has_tools: bool = False
    """Whether calls are carried out, and shown by who does that."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said; `finished` is False if the user stopped it."""

    content: str
    thinking: str
    finished: bool
    metrics: Metrics
    tool_calls: tuple[ToolCall, ...] = ()


class Printer:
    """Writes the pieces of one answer to `out`."""

    def __init__(self, out: TextIO, style: Style) -> None:
        self._out = out
        self._style = style
        self._live = out.isatty()
        self._grey, self._bold, self._plain = ("", "", "")
        if has_colours(out):
            self._grey, self._bold, self._plain = GREY, BOLD, RESET
        self._wrapper = self._make_wrapper()
        self._is_thinking = False
        self.content = ""
        self.thinking = ""
        self.tool_calls: tuple[ToolCall, ...] = ()

    def _make_wrapper(self) -> Wrapper | None:
        if not (moves_cursor(self._out) and self._style.wrap):
            return None
        return Wrapper(shutil.get_terminal_size((DEFAULT_COLUMNS, 24)).columns)

    def shows(self, piece: Piece) -> bool:
        """Whether the piece will put something on the screen."""
        thought = piece.thinking and not (self._style.hide_thinking or self._style.folds_thinking)
        if self._is_thinking and self._style.folds_thinking:
            return bool(piece.content or piece.tool_calls or piece.done)
        return bool(piece.content or thought or (piece.tool_calls and not self._style.has_tools))

    def put(self, piece: Piece) -> None:
        """Write one piece."""
        if piece.thinking:
            if self._style.folds_thinking:
                self._is_thinking = True
            elif not self._style.hide_thinking:
                self._put_thought(piece.thinking)
            self.thinking += piece.thinking
        if piece.content or piece.tool_calls or piece.done:
            self.end_thoughts()
        self._write(piece.content)
        self.content += piece.content
        self.tool_calls += piece.tool_calls
        if piece.tool_calls and not self._style.has_tools:
            calls = "\n".join(map(describe_call, piece.tool_calls))
            self._out.write(f"{self._grey}{self._bold}{self._safe(calls)}{self._plain}")
        self._out.flush()

    def end_thoughts(self) -> None:
        """Close the thoughts if they are open."""
        if not self._is_thinking:
            return
        self._is_thinking = False
        if self._style.folds_thinking:
            if self._live and not self._style.hide_thinking:
                count = max(1, len(self.thinking) // CHARACTERS_A_TOKEN)
                self._out.write(f"{self._grey}Thought ({count} tokens){self._plain}\n\n")
            return
        start = "" if self.thinking.endswith("\n") else "\n"
        self._out.write(f"{start}{self._grey}{self._bold}...done thinking.\n\n{self._plain}")
        self._wrapper = self._make_wrapper()

    def _put_thought(self, text: str) -> None:
        if not self._is_thinking:
            self._is_thinking = True
            self._out.write(f"{self._grey}{self._bold}Thinking...\n{self._plain}{self._grey}")
        self._write(text)

    def _write(self, text: str) -> None:
        text = self._safe(text)
        self._out.write(self._wrapper.feed(text) if self._wrapper else text)

    def _safe(self, text: str) -> str:
        return safe_text(text) if self._live else text

    def reset_colour(self) -> None:
        """Leave no colour behind if the thoughts were cut off."""
        if self._is_thinking and not self._style.folds_thinking:
            self._out.write(self._plain)


def describe_call(call: ToolCall) -> str:
    """A call to a tool that does not exist here."""
    arguments = json.dumps(call.arguments, separators=(",", ":"), ensure_ascii=False)
    return f"  Model called a non-existent function '{call.name}()' with arguments: {arguments}"


def print_answer(pieces: Generator[Piece, None, None], style: Style) -> Answer:
    """Print an answer to standard output while it arrives; Ctrl+C stops it.

    A spinner turns on standard error until the first text. Errors of the stream pass through.
    """
    printer = Printer(sys.stdout, style)
    metrics, finished = Metrics(), False
    with Progress(sys.stderr) as progress, closing(pieces):  # closing hangs up: the server stops
        spinner = Spinner()
        progress.add(spinner)
        try:
            for piece in pieces:
                if style.folds_thinking and sys.stderr.isatty():
                    spinner.message = "Thinking" if piece.thinking else ""
                if printer.shows(piece):
                    progress.clear()
                printer.put(piece)
                if piece.done:
                    metrics, finished = piece.metrics, True
        except KeyboardInterrupt:
            finished = False
        finally:
            progress.clear()
            printer.reset_colour()
            sys.stdout.flush()
    return Answer(printer.content, printer.thinking, finished, metrics, printer.tool_calls)


def summary(metrics: Metrics) -> str:
    """The statistics of `--verbose`, a line for each that is not 0."""
    rows = [
        ("total duration:", _duration(metrics.total_duration)),
        ("load duration:", _duration(metrics.load_duration)),
        ("prompt eval count:", _tokens(metrics.prompt_eval_count)),
        ("prompt eval duration:", _duration(metrics.prompt_eval_duration)),
        ("prompt eval rate:", _rate(metrics.prompt_eval_count, metrics.prompt_eval_duration)),
        ("eval count:", _tokens(metrics.eval_count)),
        ("eval duration:", _duration(metrics.eval_duration)),
        ("eval rate:", _rate(metrics.eval_count, metrics.eval_duration)),
    ]
    return "".join(f"{label:<22}{value}\n" for label, value in rows if value)


def _duration(nanoseconds: int) -> str:
    return format_duration(nanoseconds) if nanoseconds > 0 else ""


def _tokens(count: int) -> str:
    return f"{count} token(s)" if count > 0 else ""


def _rate(count: int, nanoseconds: int) -> str:
    return f"{count / nanoseconds * SECOND:.2f} tokens/s" if nanoseconds > 0 else ""
