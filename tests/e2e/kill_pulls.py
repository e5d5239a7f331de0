"""Pulls in processes that are killed at random moments, and what must hold after each.

`python -m tests.e2e.kill_pulls 200` does it 200 times; the suite a few.
"""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from puna.models.digest import Digest
from puna.models.journal import Journal
from puna.models.library import Library
from tests.cli.support import environment
from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry
from tests.fakes.registry_client import PackedModel, pack_model
from tests.service.pulling import UNIT, puller, verify

SECONDS = 60.0
SPEED = 6e5
VERSIONS = 3


@dataclass
class Killer:
    """Pulls versions of one model into the store at `root` and kills the pulls."""

    root: Path
    registry: FaultyRegistry
    chance: random.Random
    noted: set[int] = field(default_factory=set)
    """The units of the version's weights that were noted when the last process died."""
    kills: int = 0
    finished: int = 0

    def run(self, kills: int) -> None:
        """Kill so often; every version that was begun is finished."""
        models = [
            pack_model(("model", self.chance.randbytes(80 * UNIT + 11)), ("license", b"MIT" * 999))
            for _ in range(VERSIONS)
        ]
        while self.kills < kills:
            self.finish(models[self.finished % VERSIONS], kills)

    def finish(self, model: PackedModel, kills: int) -> None:
        """Pull one version, with kills as long as there are some left."""
        name = self.registry.add("library/m", model)
        self.noted = set()
        while not self.pull(name, self.chance.uniform(0.05, 0.9) if self.kills < kills else 0):
            self.kills += 1
            verify(Library(self.root / "models"))
            self.check_requests(model)
        self.check_requests(model)
        self.finished += 1
        library = Library(self.root / "models")
        verify(library)
        assert [stored.digest for stored in library.entries()] == [Digest.of(model.raw).hex]

    def pull(self, name: str, seconds: float) -> bool:
        """Pull in a process of its own, killed so many seconds after it began, if any; whether it
        was done.
        """
        with subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.kill_pulls", "--pull", str(self.root), name],
            env=environment(self.root),
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
                assert seconds, "the pull hangs"
                return False
        assert process.returncode == 0, errors.decode()
        return True

    def check_requests(self, model: PackedModel) -> None:
        """Nothing was asked for that had been noted before."""
        digest, data = max(model.blobs.items(), key=lambda blob: len(blob[1]))
        for seen in self.registry.requests(f"blobs/{digest}"):
            span = re.fullmatch(r"bytes=(\d+)-(\d+)", seen.headers.get("range", ""))
            assert span is not None
            asked = range(int(span[1]) // UNIT, int(span[2]) // UNIT + 1)
            assert not self.noted.intersection(asked)
        self.registry.seen.clear()
        path = self.root / "models" / "blobs" / f"{digest.replace(':', '-')}-partial.units"
        self.noted = set(Journal(path, len(data), UNIT).load())


def kill_pulls(root: Path, kills: int, seed: int) -> Killer:
    """Kill so many pulls into a store at `root`."""
    with faulty_registry() as registry:
        registry.bytes_per_second = SPEED
        killer = Killer(root, registry, random.Random(seed))
        killer.run(kills)
        return killer


async def _pull(root: Path, name: str) -> None:
    async with puller(root) as place:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        async for _ in place.start(name):
            pass


def _main() -> None:
    match sys.argv[1:]:
        case ["--pull", root, name]:
            asyncio.run(_pull(Path(root), name))
        case [kills]:
            with tempfile.TemporaryDirectory() as folder:
                seed = random.randrange(2**32)
                sys.stdout.write(f"seed {seed}\n")
                killer = kill_pulls(Path(folder), int(kills), seed)
                sys.stdout.write(f"{killer.kills} kills, {killer.finished} models finished\n")


if __name__ == "__main__":
    _main()
