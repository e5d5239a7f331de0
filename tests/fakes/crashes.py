"""Work on a store that is killed (SIGKILL) at a chosen point, in a process of its own.

Points are the lines of ours that run and all system calls. The process is forked from one that has
imported everything: `python -m tests.fakes.crashes` reads one JSON order a line and answers each
with how many points there were, or that the work was killed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from puna.api.decode import read_value
from puna.api.requests import CreateRequest
from puna.config import Settings
from puna.models.library import Library
from puna.models.name import Name
from puna.models.second import SecondStore
from puna.service.create import Create
from tests.fakes.ggufs import Raw, Tensor, Value, pack_gguf
from tests.fakes.pulls import nothing_to_pull

__all__ = ["WORKS", "Crasher", "make_stores", "open_library"]

NOW = 2_000_000_000.0
U16 = 2
CALLS = {"posix", "fcntl", "_io"}
TRACED = ("/puna/models/", "/puna/service/", "/puna/gguf/")

Work = Callable[[Path], None]
Trace = Callable[[FrameType, str, Any], Any]


def weights(seed: int) -> bytes:
    """A small model file."""
    tensor = Tensor("token_embd.weight", (4,), data=bytes([seed]) * 16)
    return pack_gguf({"general.architecture": "llama"}, [tensor])


def open_library(place: Path) -> Library:
    """The store in `place`, above the second one there."""
    return Library(place / "ours", SecondStore(place / "theirs"))


def create(library: Library, name: str, **fields: object) -> None:
    """Make a model as a create request would."""

    async def run() -> None:
        order = read_value(CreateRequest, {"model": name, **fields})
        async for _ in Create(library, Settings(), nothing_to_pull).create(order):
            pass

    asyncio.run(run())


def install(library: Library, name: str, seed: int, **fields: object) -> None:
    """Make a model of a new file."""
    digest = library.blobs.add(weights(seed)).digest
    create(library, name, files={"a.gguf": str(digest)}, **fields)


def make_stores(place: Path) -> None:
    """Our store with the models `a`, `b` (made from `a`), `c`, and a lent model `lent`."""
    install(Library(place / "theirs"), "lent", 1)
    library = open_library(place)
    install(library, "a", 2, system="Be kind.")
    create(library, "b", **{"from": "a"}, system="Be brief.", parameters={"num_ctx": 64})
    install(library, "c", 3)
    library.blobs.add(b"an orphan")
    (library.blobs.folder / "sha256-123").write_bytes(b"a leftover")
    (place / "local.gguf").write_bytes(weights(4))


def _create_linked(place: Path) -> None:
    library = open_library(place)
    adopted = library.blobs.adopt(place / "local.gguf")
    with library.holding({adopted.digest}):
        create(library, "new", files={"a.gguf": str(adopted.digest)}, system="x")


def _create_from_parts(place: Path, *, keep: bool) -> None:
    library = open_library(place)
    files = {}
    for index, name in enumerate(("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")):
        numbers: dict[str, Value] = {"split.no": Raw(U16, index), "split.count": Raw(U16, 2)}
        first: dict[str, Value] = {} if index else {"general.architecture": "llama"}
        raw = pack_gguf({**first, **numbers}, [Tensor(f"blk.{index}.weight")])
        files[name] = str(library.blobs.add(raw).digest)
    create(library, "new", files=files, keep_parts=keep)


def _delete(name: str) -> Work:
    return lambda place: (open_library(place).delete(Name.parse(name)), None)[1]


def _copy(source: str, target: str) -> Work:
    names = Name.parse(source), Name.parse(target)
    return lambda place: (open_library(place).copy(*names), None)[1]


WORKS: Mapping[str, Work] = {
    "create a new model": lambda place: install(open_library(place), "new", 5, system="x"),
    "create from a linked file": _create_linked,
    "create from a lent model": lambda place: create(
        open_library(place), "new", **{"from": "lent"}
    ),
    "create by merging parts": lambda place: _create_from_parts(place, keep=False),
    "create of parts that stay": lambda place: _create_from_parts(place, keep=True),
    "replace a model": lambda place: install(open_library(place), "c", 6),
    "delete the last user of a blob": _delete("c"),
    "delete a parent": _delete("a"),
    "copy a model": _copy("a", "d"),
    "copy over a model": _copy("a", "c"),
    "copy a lent model": _copy("lent", "mine"),
    "prune": lambda place: (open_library(place).prune(NOW, 0), None)[1],
}


class Crasher:
    """The process that forks; use it with `with`."""

    def __enter__(self) -> Crasher:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.crashes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=10)

    def run(self, work: str, place: Path, point: int = 0) -> int | None:
        """Do the work; how many points there were, None when it was killed at `point`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"work": work, "place": str(place), "point": point}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["failure"] == "", answer
        return None if answer["killed"] else int(answer["points"])


class _Counter:
    """Counts the lines of ours that run and the system calls that anybody makes, and kills the
    process before a chosen one.
    """

    def __init__(self, point: int) -> None:
        self.count = 0
        self._numbers = itertools.count(1)
        self._point = point

    def trace(self, frame: FrameType, event: str, value: Any) -> Trace | None:
        """For `sys.settrace`."""
        if not any(part in frame.f_code.co_filename for part in TRACED):
            return None
        if event == "line":
            self._pass()
        return self.trace

    def profile(self, frame: FrameType, event: str, value: Any) -> None:
        """For `sys.setprofile`."""
        if event == "c_call" and CALLS & _modules(value):
            self._pass()

    def _pass(self) -> None:
        # Threads pass here at once, and one number must be each one's own.
        self.count = number = next(self._numbers)
        if number == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def _modules(function: Any) -> set[str | None]:
    """Where a built-in function or method comes from."""
    return {function.__module__, type(getattr(function, "__self__", None)).__module__}


def _child(work: str, place: Path, point: int, answer: int) -> None:
    counter = _Counter(point)
    threading.settrace(counter.trace)
    threading.setprofile(counter.profile)
    sys.settrace(counter.trace)
    sys.setprofile(counter.profile)
    failure = ""
    try:
        WORKS[work](place)
    except Exception as error:  # noqa: BLE001 - told to the parent
        failure = repr(error)
    sys.setprofile(None)
    sys.settrace(None)
    os.write(answer, json.dumps({"points": counter.count, "failure": failure}).encode())
    os._exit(0)


def main() -> None:
    """Serve orders until the input ends."""
    for raw in sys.stdin:
        order = json.loads(raw)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _child(order["work"], Path(order["place"]), order["point"], writing)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        killed = os.WIFSIGNALED(status)
        told = {"points": 0, "failure": ""} if killed else json.loads(said)
        sys.stdout.write(json.dumps({**told, "killed": killed}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
