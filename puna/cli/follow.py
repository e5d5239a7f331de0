"""Showing the steps of a long operation: a bar for each digest, a line for each other status; or
with `--json` as lines of JSON.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from puna.cli.output import print_line
from puna.client.replies import Progress as Step
from puna.term.progress import Bar, Progress, Spinner

__all__ = ["follow", "follow_push", "follow_transfer", "progress", "telling"]

Told = TypeVar("Told")


def progress(*, as_json: bool) -> Progress:
    """Where progress is shown: standard error; with `--json` nowhere, as its steps are lines."""
    return Progress(io.StringIO() if as_json else sys.stderr)


def telling(steps: Iterable[Told], *, as_json: bool) -> Iterator[Told]:
    """The same steps; with `--json` each is printed as it passes."""
    for step in steps:
        if as_json:
            print_line(step)
        yield step


def follow(steps: Iterable[Step], progress: Progress) -> None:
    """Show the steps of create."""
    _follow(steps, progress, is_transfer=False)


def follow_transfer(steps: Iterable[Step], progress: Progress) -> None:
    """Show the steps of pull: a bar appears when its first bytes have moved."""
    _follow(steps, progress, is_transfer=True)


def follow_push(steps: Iterable[Step], progress: Progress) -> None:
    """Show the steps of push."""
    _follow(steps, progress, is_transfer=False)


def _follow(steps: Iterable[Step], progress: Progress, *, is_transfer: bool) -> None:
    bars: dict[tuple[str, str], Bar] = {}
    spinner = Spinner()
    for step in steps:
        if step.digest:
            if is_transfer and not step.completed:
                continue
            key = (step.digest, step.status)  # work of several kinds may have no digest of its own
            if key not in bars:
                label = step.status + (":" if is_transfer else "")
                bars[key] = Bar(label, step.total, completed=step.completed)
                progress.add(bars[key])
            bars[key].set(step.completed)
        elif step.status != spinner.message:
            spinner.stop()
            spinner = Spinner(step.status)
            progress.add(spinner)
