"""Work on a store in a process of its own that is killed at a moment of the caller's choice.

What `kill_pulls.py` and `kill_pushes.py` share: each is a program that kills itself at work.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from puna.api.events import Progress
from tests.cli.support import environment
from tests.service.pulling import Puller, puller

__all__ = ["finishes", "main"]

SECONDS = 60.0

Work = Callable[[Puller, str], AsyncGenerator[Progress, None]]


def finishes(module: str, root: Path, name: str, seconds: float) -> bool:
    """Have `module` work on the store at `root` in a process that is killed so many seconds after
    it began, if any; whether it was done by then. Fails where the work does, or takes for ever.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, "--work", str(root), name],
        env=environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            _, errors = process.communicate(timeout=seconds or SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            assert seconds, "the work hangs"
            return False
    assert process.returncode == 0, errors.decode()
    return True


def main(work: Work, kill: Callable[[Path, int, int], object]) -> None:
    """The program: do the work once, or kill it so often and print what came of it. `kill` gets
    the store's folder, a number of kills and a seed.
    """
    match sys.argv[1:]:
        case ["--work", root, name]:
            asyncio.run(_work(work, Path(root), name))
        case [kills]:
            with tempfile.TemporaryDirectory() as folder:
                seed = random.randrange(2**32)
                sys.stdout.write(f"seed {seed}\n")
                sys.stdout.write(f"{kill(Path(folder), int(kills), seed)}\n")


async def _work(work: Work, root: Path, name: str) -> None:
    async with puller(root) as place:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        async for _ in work(place, name):
            pass
