"""The program on a real pseudo-terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect

ENTER = "\r"
PROMPT = ">>> "

Start = Callable[..., "pexpect.spawn[str]"]


@contextmanager
def terminals(
    *first: str, dimensions: tuple[int, int], cwd: Path | None = None
) -> Iterator[Callable[[tuple[str, ...], Mapping[str, str]], pexpect.spawn[str]]]:
    """Starts `puna` with these arguments and more, in an environment; ends all that were started.

    `dimensions` are rows and columns.
    """
    children: list[pexpect.spawn[str]] = []

    def spawn(args: tuple[str, ...], env: Mapping[str, str]) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "puna", *first, *args],
            env=dict(env),
            encoding="utf-8",
            timeout=60,  # a busy machine takes its time
            dimensions=dimensions,
            cwd=None if cwd is None else str(cwd),
        )
        children.append(child)
        return child

    try:
        yield spawn
    finally:
        for child in children:
            child.close(force=True)


def leave(child: pexpect.spawn[str]) -> None:
    """Say goodbye; the program must end well."""
    child.send("/bye" + ENTER)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
