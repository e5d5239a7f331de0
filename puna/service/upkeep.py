"""Housekeeping that people ask for: pruning the store, and verifying what is in it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import suppress
from pathlib import Path

from puna.api.events import Progress
from puna.api.upkeep import (
    Fault,
    PrunedFile,
    PruneRequest,
    PruneResponse,
    StoreResponse,
    Verified,
    VerifyRequest,
)
from puna.errors import BadRequest, InvalidDigest, ModelNotFound, StoreError
from puna.models.digest import Digest
from puna.models.durable import make_folders
from puna.models.library import Library
from puna.models.manifest import Layer
from puna.models.name import Name
from puna.models.verify import check_blob
from puna.service.catalog import parse_reference
from puna.threads import in_thread

__all__ = ["Upkeep", "installed_names"]

_Steps = Generator[Progress | Verified, None, None]


class Upkeep:
    """Answers what `/api/puna/` asks about the store."""

    def __init__(
        self,
        library: Library,
        files_in_use: Callable[[], Iterable[str]],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`files_in_use` gives the paths of what runners have loaded or load; `now` is in seconds
        since 1970.
        """
        self._library = library
        self._files_in_use = files_in_use
        self._now = now

    async def store(self) -> StoreResponse:
        """Where the store is. Raises StoreError when it cannot be made."""
        root = self._library.root.absolute()
        await in_thread(make_folders, root)
        about = await in_thread(os.stat, root)
        return StoreResponse(models=str(root), device=about.st_dev, inode=about.st_ino)

    async def prune(self, order: PruneRequest) -> PruneResponse:
        """Delete what nothing needs. Raises BadRequest, StoreError when a manifest is damaged."""
        age = order.older_than
        if age is not None and not (math.isfinite(age) and age >= 0):
            raise BadRequest("older_than must be a number of seconds, 0 or more")
        garbage = await in_thread(
            self._library.prune,
            self._now(),
            age,
            keep=_digests_of(self._files_in_use()),
            dry_run=order.dry_run,
        )
        if garbage.refusal:
            raise StoreError(f"nothing is pruned, {garbage.refusal}: `puna verify` names them")
        files = [PrunedFile(name=name, size=size) for name, size in sorted(garbage.files.items())]
        return PruneResponse(files=files, held=garbage.held)

    async def verify(self, order: VerifyRequest) -> AsyncGenerator[Progress | Verified, None]:
        """Hash every blob of the models once, and say of each model what is wrong with it.

        Raises ModelNotFound, InvalidName before the first event.
        """
        names = await in_thread(installed_names, self._library, order.models)
        steps = self._steps(names, remove=order.remove_damaged)
        while (step := await in_thread(next, steps, None)) is not None:
            yield step

    def _steps(self, names: list[Name], *, remove: bool) -> _Steps:
        problems: dict[tuple[Digest, int], str] = {}
        for name in names:
            try:
                layers = self._library.read(name).manifest.blobs
            except ModelNotFound:
                continue  # deleted meanwhile
            except OSError as cause:
                yield _verdict(name, [Fault(problem=f"its manifest cannot be read: {cause}")])
                continue
            faults: dict[Digest, str] = {}
            for layer in layers:
                key = (layer.digest, layer.size)
                if key not in problems:
                    problems[key] = yield from self._check(layer)
                if problems[key]:
                    faults[layer.digest] = problems[key]
            if remove:
                for digest in faults:
                    self._library.discard_blob(digest)
            told = [Fault(digest=str(each), problem=text) for each, text in faults.items()]
            yield _verdict(name, told, removed=remove and bool(told))
        yield Progress(status="success")

    def _check(self, layer: Layer) -> Generator[Progress, None, str]:
        checking = check_blob(self._library.blobs.path(layer.digest), layer)
        status, digest = f"verifying {layer.digest.short}", str(layer.digest)
        yield Progress(status=status, digest=digest, total=layer.size)
        while True:
            try:
                done = next(checking)
            except StopIteration as end:
                return str(end.value)
            yield Progress(status=status, digest=digest, total=layer.size, completed=done)


def installed_names(library: Library, models: list[str]) -> list[Name]:
    """The names of these models as stored, of all where none is given. Raises ModelNotFound,
    InvalidName.
    """
    if not models:
        return library.names()
    names, known = [], set(library.names())
    for text in models:
        name = library.resolve(parse_reference(text))
        if name not in known:
            raise ModelNotFound(text)
        names.append(name)
    return names


def _verdict(name: Name, faults: list[Fault], *, removed: bool = False) -> Verified:
    return Verified(
        status="damaged" if faults else "verified",
        model=name.short,
        faults=faults,
        removed=removed,
    )


def _digests_of(paths: Iterable[str]) -> set[Digest]:
    """The blobs among these files."""
    digests = set()
    for path in paths:
        with suppress(InvalidDigest):
            digests.add(Digest.parse(Path(path).name))
    return digests
