"""Pulls in processes that are killed at random moments, and what must hold after each.

`python -m tests.e2e.kill_pulls 200` does it 200 times; the suite a few.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from puna.models.digest import Digest
from puna.models.library import Library
from tests.e2e.killing import finishes, main
from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry
from tests.fakes.registry_client import PackedModel, pack_model
from tests.service.pulling import UNIT, Puller, asked_units, noted_units, verify

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

    def __str__(self) -> str:
        return f"{self.kills} kills, {self.finished} models finished"

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
        """Pull in a process that is killed after so many seconds, if any; whether it was done."""
        return finishes("tests.e2e.kill_pulls", self.root, name, seconds)

    def check_requests(self, model: PackedModel) -> None:
        """Nothing was asked for that had been noted before."""
        digest, data = max(model.blobs.items(), key=lambda blob: len(blob[1]))
        assert not self.noted & asked_units(self.registry.requests(f"blobs/{digest}"))
        self.registry.seen.clear()
        self.noted = noted_units(Library(self.root / "models"), data)


def kill_pulls(root: Path, kills: int, seed: int) -> Killer:
    """Kill so many pulls into a store at `root`."""
    with faulty_registry() as registry:
        registry.bytes_per_second = SPEED
        killer = Killer(root, registry, random.Random(seed))
        killer.run(kills)
        return killer


if __name__ == "__main__":
    main(Puller.start, kill_pulls)
