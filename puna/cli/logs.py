"""`puna logs`: what the server that a command started has logged."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path

from puna.cli.command import command, exactly, option
from puna.config import read_settings
from puna.errors import BadRequest
from puna.term.safe import write_safely

__all__ = ["COMMAND"]

POLL_SECONDS = 0.2


@command("logs", words=exactly(0), variables=("PUNA_HOME",), help="Show the log of the server")
@option("-f", "--follow", kind="bool", help="Go on with what is logged from now on")
@option("-n", "--lines", kind="int", default=100, help="How many lines to show (default 100)")
def COMMAND(words: tuple[str, ...], follow: bool, lines: int) -> None:
    path = read_settings().server_log
    if lines < 0:
        raise BadRequest("--lines: must not be negative")
    if not path.exists():
        raise BadRequest(
            f"there is no log at {path}: a server that a command starts writes there, "
            "another one logs where it was started"
        )
    at, node = show_last(path, lines)
    while follow:
        time.sleep(POLL_SECONDS)
        at, node = show_more(path, at, node)


def show_last(path: Path, count: int) -> tuple[int, int]:
    """Print the last lines; returns up to which byte of which file (its inode)."""
    with path.open("rb") as file:
        for line in deque(file, maxlen=count):
            _write(line)
        return file.tell(), path.stat().st_ino


def show_more(path: Path, at: int, node: int) -> tuple[int, int]:
    """Print what came since; a new log in the place of the old one is read from its beginning."""
    try:
        about = path.stat()
    except FileNotFoundError:  # between an old log and the next
        return at, node
    if about.st_ino != node or about.st_size < at:
        at = 0
    with path.open("rb") as file:
        file.seek(at)
        _write(file.read())
        return file.tell(), about.st_ino


def _write(raw: bytes) -> None:
    write_safely(sys.stdout, raw.decode("utf-8", "replace"))
