"""Feed the targets broken inputs: `python -m tests.fuzz.run 100000 [SEED]`.

Each input must end in an error of the target's own or in success, within SECONDS of processor time
and with no more than MEMORY above what the process had before. The first one that does not is
written to a file, and ends the run.
"""

from __future__ import annotations

import logging
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from tests.fuzz.targets import TARGETS, Target

SECONDS = 1.0
MEMORY = 64 << 20
_MOST_SECONDS = 20.0  # then it is interrupted


class TooSlowError(Exception):
    """An input that takes longer than any may."""


def main(count: int, seed: int) -> None:
    """Share `count` inputs between the targets."""
    logging.disable(logging.CRITICAL)
    chance = random.Random(seed)
    sys.stdout.write(f"seed {seed}\n")
    signal.signal(signal.SIGPROF, _interrupt)
    refused: Counter[str] = Counter()
    slowest: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for target in TARGETS.values():  # what is imported or made once is no input's fault
            _judge(target, target.make(chance), Path(folder))
        before = _memory()
        resource.setrlimit(resource.RLIMIT_DATA, (before + MEMORY, resource.RLIM_INFINITY))
        for number in range(count):
            name = list(TARGETS)[number % len(TARGETS)]
            raw = TARGETS[name].make(chance)
            began = time.process_time()
            try:
                refused[name] += _judge(TARGETS[name], raw, Path(folder))
                seconds = time.process_time() - began
                if seconds > SECONDS:
                    raise TooSlowError(f"{seconds:.1f} s")
            except BaseException:
                culprit = Path(tempfile.gettempdir()) / "puna-fuzz-input"
                culprit.write_bytes(raw)
                sys.stderr.write(f"input {number} for {name}: {culprit}\n")
                raise
            slowest[name] = max(slowest[name], int(seconds * 1e6))
    for name in TARGETS:
        of = len(range(list(TARGETS).index(name), count, len(TARGETS)))
        sys.stdout.write(
            f"{name}: {of} inputs, {refused[name]} refused, slowest {slowest[name] / 1e3:.1f} ms\n"
        )
    grown = (_memory() - before) >> 20
    sys.stdout.write(f"{count} inputs, memory grew by {grown} MiB\n")


def _judge(target: Target, raw: bytes, folder: Path) -> bool:
    """Whether the input was refused in the right way. Raises whatever is wrong."""
    signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            target.use(raw, Path(place))
    except target.errors:
        return True
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return False


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"more than {_MOST_SECONDS} s")


def _memory() -> int:
    """Bytes of what RLIMIT_DATA bounds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmData")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else random.randrange(2**32))
