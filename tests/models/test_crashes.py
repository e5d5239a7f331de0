"""A process that is killed while it changes the store leaves every installed model whole, and the
work can be done again. `python -m tests.models.test_crashes 1000` tries many more points.
"""

from __future__ import annotations

import hashlib
import logging
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.errors import ModelNotFound
from puna.models.library import Library
from tests.fakes.crashes import NOW, WORKS, Crasher, make_stores, open_library
from tests.fakes.stores import snapshot

POINTS = 6
"""Kills of each work in the suite."""
DRAWS = 10
"""Points drawn for a kill; one in a few hundred lies behind the end of its run."""


class Crashes:
    """A store made once, and copied for every kill."""

    def __init__(self, crasher: Crasher, folder: Path) -> None:
        self._crasher = crasher
        self._folder = folder
        self._template = folder / "template"
        self._count = 0
        make_stores(self._template)
        self._before = models(open_library(self._template))
        self._points: dict[str, int] = {}
        self._after: dict[str, tuple[dict[str, str], set[str]]] = {}

    def kill(self, work: str, chance: random.Random) -> None:
        """Kill the work at a random point, look at the store, finish the work."""
        if work not in self._points:
            place = self._fresh()
            self._points[work] = self._crasher.run(work, place) or 0
            self._after[work] = models(open_library(place)), tidied(place)
        after, files = self._after[work]
        place, point = self._killed(work, chance)
        lent = snapshot(self._template / "theirs")
        found = models(open_library(place))
        for name in {*self._before, *after}:
            allowed = {self._before.get(name), after.get(name)}
            assert found.get(name) in allowed, f"{name} killed at {point} of {work}"
        try:
            WORKS[work](place)
        except ModelNotFound:
            assert work.startswith("delete")
        assert models(open_library(place)) == after
        assert tidied(place) == files, f"point {point} of {work}"
        assert snapshot(place / "theirs") == lent
        shutil.rmtree(place)

    def _killed(self, work: str, chance: random.Random) -> tuple[Path, int]:
        """A store that the work left when it was killed, and at which point.

        Threads make a run some points longer or shorter than the one that was counted: one that
        ended before its point did all of its work, and another point is drawn.
        """
        for _ in range(DRAWS):
            place = self._fresh()
            point = chance.randint(1, self._points[work])
            if self._crasher.run(work, place, point) is None:
                return place, point
            assert (models(open_library(place)), tidied(place)) == self._after[work]
        raise AssertionError(f"no run of {work} reached its point")

    def _fresh(self) -> Path:
        self._count += 1
        return shutil.copytree(self._template, self._folder / str(self._count))


def models(library: Library) -> dict[str, str]:
    """Every model and the digest of its manifest; fails where anything of one is damaged."""
    found = {}
    for name in library.names():
        stored = library.read(name)
        for layer in stored.manifest.blobs:
            raw = library.blobs.path(layer.digest).read_bytes()
            assert len(raw) == layer.size
            assert hashlib.sha256(raw).hexdigest() == layer.digest.hex
        found[name.short] = stored.digest
    return found


def tidied(place: Path) -> set[str]:
    """The files of our store after pruning all that is not needed."""
    open_library(place).prune(NOW, 0)
    root = place / "ours"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    with Crasher() as crasher:
        yield Crashes(crasher, tmp_path_factory.mktemp("crashes"))


@pytest.mark.parametrize("work", WORKS)
def test_a_kill_harms_no_model_and_the_work_can_be_done_again(crashes: Crashes, work: str) -> None:
    chance = random.Random(work)
    for _ in range(POINTS):
        crashes.kill(work, chance)


def main(count: int) -> None:
    """Kill at `count` random points, spread over the works."""
    logging.disable(logging.WARNING)
    chance = random.Random()
    with tempfile.TemporaryDirectory() as folder, Crasher() as crasher:
        crashes = Crashes(crasher, Path(folder))
        for number in range(count):
            crashes.kill(list(WORKS)[number % len(WORKS)], chance)
    sys.stdout.write(f"{count} kills, every model whole\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
