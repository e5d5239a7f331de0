"""What every test stands on."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# how long an example takes says how busy the machine is
settings.register_profile("puna", deadline=None)
settings.load_profile("puna")

# a shell's background job ignores SIGINT, and so would every child that is to be interrupted
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_OF_THE_USER = re.compile(
    r"(PUNA|OLLAMA|OTEL|HF|XDG|DOCKER)_|(HTTPS?|ALL|NO)_PROXY$|(NO_COLOR|COLUMNS|LINES|EDITOR|VISUAL)$",
    re.IGNORECASE,
)


def _seal() -> None:
    """What a shell has set decides nothing here: settings of Puna, proxies, how a terminal is."""
    environ = os.environ  # noqa: TID251 - of all tests, before any reads it
    for name in filter(_OF_THE_USER.match, list(environ)):
        del environ[name]
    environ["TERM"] = "xterm-256color"


_seal()

# threads of the engine that wait for a core must not spin for it (as in puna/runner/launcher.py)
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # noqa: TID251 - it is read when that is loaded


def _keep_to_a_core() -> None:
    """Test processes side by side have a core each, and so have the engines in them one thread:
    threads that wait for each other's cores take eight times the work.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")  # noqa: TID251 - pytest's, not ours
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


_keep_to_a_core()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite` takes what programs print now for what they should print."""
    parser.addoption("--rewrite", action="store_true", help="write golden files anew")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests with clients of others are read only when they are asked for."""
    is_asked_for = config.getoption("markexpr") == "clients"
    return True if collection_path.name == "clients" and not is_asked_for else None
