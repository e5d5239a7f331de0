"""Pushes in processes that are killed at random moments, and what must hold after each.

`python -m tests.e2e.kill_pushes 200` does it 200 times; the suite a few.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from puna.models.library import Library
from puna.models.manifest import CONFIG, LICENSE, MODEL, Layer, Manifest
from puna.models.name import Name
from tests.cli.support import environment
from tests.fakes.faulty_registry import FaultyRegistry, faulty_registry
from tests.service.pulling import PART, puller, verify

SECONDS = 60.0
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
            is_done = self.push(name, seconds)
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

    def push(self, name: str, seconds: float) -> bool:
        """Push in a process of its own, killed so many seconds after it began, if any; whether it
        was done.
        """
        with subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.kill_pushes", "--push", str(self.root), name],
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
                assert seconds, "the push hangs"
                return False
        assert process.returncode == 0, errors.decode()
        return True

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


async def _push(root: Path, name: str) -> None:
    async with puller(root) as place:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        async for _ in place.start_push(name):
            pass


def _main() -> None:
    match sys.argv[1:]:
        case ["--push", root, name]:
            asyncio.run(_push(Path(root), name))
        case [kills]:
            with tempfile.TemporaryDirectory() as folder:
                seed = random.randrange(2**32)
                sys.stdout.write(f"seed {seed}\n")
                killer = kill_pushes(Path(folder), int(kills), seed)
                told = f"{killer.kills} kills, {killer.finished} models finished"
                sys.stdout.write(f"{told}, killed with {', '.join(sorted(killer.stages))} there\n")


if __name__ == "__main__":
    _main()
