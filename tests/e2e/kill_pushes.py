"""Pushes in processes that are killed at random moments, and what must hold after each.

`python -m tests.e2e.kill_pushes 200` does it 200 times; the suite a few.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from puna.models.library import Library
from puna.models.manifest import CONFIG, LICENSE, MODEL, Layer, Manifest
from puna.models.name import Name
from tests.e2e.killing import finishes, main
from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry
from tests.service.pulling import PART, Puller, verify

SPEED = 4e6
LONGEST = 0.8
"""Seconds after which a push is killed at the latest: about what a whole one takes."""


@dataclass
class Killer:
    """Pushes models of the store at `root`, one after the other, and kills the pushes."""

    root: Path
    registry: FaultyRegistry
    chance: random.Random
    kills: int = 0
    finished: int = 0
    stages: set[str] = field(default_factory=set)
    """What the registry had when pushes were killed: nothing, an upload, blobs, the manifest."""

    def __str__(self) -> str:
        told = f"{self.kills} kills, {self.finished} models finished"
        return f"{told}, killed with {', '.join(sorted(self.stages))} there"

    @property
    def library(self) -> Library:
        """The store, read anew."""
        return Library(self.root / "models")

    def run(self, kills: int) -> None:
        """Kill so often; every model that was begun is finished."""
        while self.kills < kills:
            self.finish(f"m{self.finished}", kills)

    def finish(self, model: str, kills: int) -> None:
        """Push one model, with kills as long as there are some left."""
        name = f"{self.registry.address}/me/{model}"
        raw = self.install(name)
        installed = self.blobs()
        while True:
            arrived = set(self.registry.blobs)
            self.registry.seen.clear()
            seconds = self.chance.uniform(0.01, LONGEST) if self.kills < kills else 0
            is_done = finishes("tests.e2e.kill_pushes", self.root, name, seconds)
            self.check(name, raw, arrived)
            assert self.blobs() == installed
            if is_done:
                break
            self.kills += 1
            self.note_stage(f"me/{model}:latest", raw)
        assert self.registry.models[f"me/{model}:latest"] == raw
        self.finished += 1

    def install(self, name: str) -> bytes:
        """Put a model into the store; returns its manifest's bytes."""
        library, layers = self.library, []
        weights, licence = self.chance.randbytes(5 * PART + 11), self.chance.randbytes(999)
        config = json.dumps({"model_format": "gguf", "model_type": name}).encode()
        for kind, data in ((MODEL, weights), (LICENSE, licence), (CONFIG, config)):
            layers.append(Layer(kind, library.blobs.add(data).digest, len(data)))
        library.write(Name.parse(name), Manifest(layers[-1], tuple(layers[:-1])))
        return library.read(Name.parse(name)).path.read_bytes()

    def blobs(self) -> dict[str, tuple[int, int]]:
        """The store's blobs: their sizes, and which files they are."""
        facts = {path.name: path.stat() for path in self.library.blobs.folder.iterdir()}
        return {name: (fact.st_size, fact.st_ino) for name, fact in facts.items()}

    def check(self, name: str, raw: bytes, arrived: set[str]) -> None:
        """The store is as it was, what the registry had was not sent again, and what it shows is
        whole.
        """
        library = self.library
        verify(library)
        assert library.read(Name.parse(name)).path.read_bytes() == raw
        commits = [seen for seen in self.registry.seen if "digest" in seen.query]
        assert not arrived & {seen.query["digest"][0] for seen in commits if seen.method == "PUT"}
        for manifest in self.registry.models.values():
            named = json.loads(manifest)
            digests = {each["digest"] for each in (*named["layers"], named["config"])}
            assert digests <= self.registry.blobs.keys()

    def note_stage(self, key: str, raw: bytes) -> None:
        """Remember how far the push was."""
        named = json.loads(raw)
        digests = {each["digest"] for each in (*named["layers"], named["config"])}
        if key in self.registry.models:
            self.stages.add("manifest")
        elif digests & self.registry.blobs.keys():
            self.stages.add("blobs")
        elif self.registry.seen:
            self.stages.add("upload")
        else:
            self.stages.add("nothing")


def kill_pushes(root: Path, kills: int, seed: int) -> Killer:
    """Kill so many pushes from a store at `root`."""
    with faulty_registry() as registry:
        registry.bytes_per_second = SPEED
        registry.mounts = False
        killer = Killer(root, registry, random.Random(seed))
        killer.run(kills)
        return killer


if __name__ == "__main__":
    main(Puller.start_push, kill_pushes)
