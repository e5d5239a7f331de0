"""Running the programs of others, with the terminal theirs while they run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from puna.errors import BadRequest

__all__ = ["LaunchError", "read_output", "run_program", "start_program"]

OUTPUT_SECONDS = 30.0


class LaunchError(BadRequest):
    """A program that cannot be set up or started."""


def run_program(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program in the foreground and return its exit status, negative for a signal.

    Raises LaunchError if it cannot be started.
    """
    with _interrupts_are_its_own():
        try:
            return subprocess.run(list(words), env=dict(environ), check=False).returncode
        except OSError as error:
            raise LaunchError(f"{words[0]} cannot be started: {error.strerror}") from error


def start_program(words: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program that goes on in the background, silently. Raises LaunchError."""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            list(words),
            env=dict(environ),
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"{words[0]} cannot be started: {error.strerror}") from error


def read_output(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a program prints on both its outputs, "" if it fails or takes too long."""
    try:
        done = subprocess.run(
            list(words),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=OUTPUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


@contextmanager
def _interrupts_are_its_own() -> Iterator[None]:
    """Leave Ctrl+C to the program in the foreground."""
    # A handler, unlike SIG_IGN, is not inherited.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
