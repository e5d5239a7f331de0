"""Finding a server, and starting one on this machine when none answers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import puna
from puna.client.client import Client
from puna.client.transport import is_this_machine
from puna.config import Settings, server_environment
from puna.errors import Unreachable

if sys.platform != "win32":
    import fcntl

__all__ = ["connect"]

NO_SERVER = "could not connect to puna server, run 'puna serve' to start it"
START_SECONDS = 60.0
POLL_SECONDS = 0.05
LOGS_KEPT = 5
TAIL_LINES = 10
TAIL_BYTES = 8192


def connect(settings: Settings) -> Client:
    """A client of a server that answers, started here if need be.

    Raises Unreachable if there is none and none can be started.
    """
    client = Client(settings.host, settings.api_key)
    if client.answers():
        return client
    if settings.no_start or settings.host.port == 0 or not is_this_machine(settings.host):
        raise Unreachable(NO_SERVER)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(settings.home / "start.lock"):
        if not client.answers():  # another command may have started it while we waited
            _start(settings, client)
    return client


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Hold the lock file, so that two commands start one server."""
    with lock.open("a") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(settings: Settings, client: Client) -> None:
    log = settings.server_log
    log.parent.mkdir(mode=0o700, exist_ok=True)
    rotate(log)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "puna", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # it outlives this command and its terminal
            # `-m` looks in the working folder first: it must be ours, not whatever the user is in.
            cwd=Path(puna.__file__).resolve().parent.parent,
            env=server_environment(settings),
        )
    # So that a person can end what nobody started by hand.
    (settings.home / "server.pid").write_text(f"{process.pid}\n")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        if client.answers():
            return
        if process.poll() is not None:
            raise Unreachable(f"the server did not start ({log}):\n{tail(log)}")
    raise Unreachable(f"timed out waiting for server to start, see {log}")


def rotate(log: Path) -> None:
    """Make room for a new log: server.log becomes server-1.log, and so on up to server-5.log."""
    numbered = [log.with_stem(f"{log.stem}-{n}") for n in range(1, LOGS_KEPT + 1)]
    for older, newer in zip(reversed(numbered), [*reversed(numbered[:-1]), log], strict=True):
        if newer.exists():
            newer.replace(older)


def tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        text = log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
