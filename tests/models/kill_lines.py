"""A store is changed and the writer killed, at every line of the store's own code in turn.

`python -m tests.models.kill_lines FOLDER`: a program of its own, for it forks hundreds of times,
which costs little only while the process is small.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest
from puna.models.name import Name

__all__ = ["main"]

SHARED = b"weights" * 100
WATCHED = {"blobs.py", "durable.py", "library.py", "upkeep.py"}


def change_the_store(library: Library) -> None:
    """What a busy server does: replace a model, copy it, delete one, clear what it used."""
    fresh = b"%d" % os.getpid() * 100
    layers = [Layer(MODEL, library.blobs.add(data).digest, len(data)) for data in (SHARED, fresh)]
    before = library.write(Name.parse("model"), Manifest(layers=tuple(layers)))
    used = library.read(before).manifest.digests
    library.copy(before, Name.parse("me/copy"))
    library.write(before, Manifest(layers=tuple(layers[:1])))
    library.delete(Name.parse("me/copy"))
    library.remove_unreferenced(used)


def die_at_line(number: int, work: Callable[[], None]) -> bool:
    """Do the work in a forked child that kills itself at the n-th line of the store's own code.

    Returns False when the child came to the end of its work first.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        assert ended in {0, -signal.SIGKILL}
        return ended != 0
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        nonlocal left
        if Path(frame.f_code.co_filename).name not in WATCHED:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    code = 1
    sys.settrace(trace)
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def check_the_store(library: Library) -> None:
    """Nothing half made is visible, and nothing that is needed is gone."""
    entries = list(library.entries())
    assert [entry.name for entry in entries] == library.names()
    assert library.read(Name.parse("keeper")).manifest.layers
    for entry in entries:
        for layer in entry.manifest.blobs:
            assert library.blobs.size(layer.digest) == layer.size
    for path in library.blobs.folder.glob("sha256-" + "?" * 64):
        assert Digest.of(path.read_bytes()).file_name == path.name


def main(folder: Path) -> None:
    """Change a store again and again, each time killed one line later, and look at what is left."""
    library = Library(folder)
    keeper = Layer(MODEL, library.blobs.add(SHARED).digest, len(SHARED))
    library.write(Name.parse("keeper"), Manifest(layers=(keeper,)))
    kills = 0
    while die_at_line(kills + 1, lambda: change_the_store(library)):
        kills += 1
        check_the_store(library)
    assert kills > 100
    library.prune(time.time() + 7200)  # the lock died with its holders
    check_the_store(library)
    needed = {digest for entry in library.entries() for digest in entry.manifest.digests}
    assert {path.name for path in library.blobs.folder.iterdir()} == {
        digest.file_name for digest in needed
    }
    assert not list(library.manifests.rglob(".*"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
