"""The library: which models are installed in one store, and every change to that.

A second store may lend its models: they are read in place, and hidden by equal names of our own.
Facts: models spec, sections 1.6, 2 and 13. Everything here blocks; the server calls it in threads.
Changes hold the store's lock, reading never does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from puna.errors import BadManifest, BlobMissing, InvalidName, ModelNotFound, ReadOnlyModel
from puna.models import upkeep
from puna.models.blobs import Blobs
from puna.models.digest import Digest
from puna.models.durable import StoreLock, make_folders, replace_file
from puna.models.holds import Holds
from puna.models.manifest import Manifest, encode_manifest, mentioned_digests, parse_manifest
from puna.models.name import Name
from puna.models.origins import Origins
from puna.models.scan import name_of, read_raw, scan_manifests
from puna.models.second import SecondStore
from puna.models.workspace import remove_abandoned

__all__ = ["Library", "Stored"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """One installed manifest: its name as stored, its content, and the SHA-256 of its bytes in hex.

    `modified_ns` is the file's modification time in nanoseconds since 1970.
    """

    name: Name
    manifest: Manifest
    digest: str
    modified_ns: int
    path: Path

    @property
    def modified_at(self) -> datetime:
        """When it was written, in local time; microseconds only."""
        moment = datetime.fromtimestamp(self.modified_ns // 10**9, UTC)
        return moment.astimezone().replace(microsecond=self.nanosecond // 1000)

    @property
    def nanosecond(self) -> int:
        """The fraction of `modified_at`'s second, 0 to 999,999,999."""
        return self.modified_ns % 10**9


class Library:
    """The models of the store at `root`, in the reference's layout, and those of a second one."""

    def __init__(self, root: Path, second: SecondStore | None = None) -> None:
        self.root = root
        self.manifests = root / "manifests"
        self.blobs = Blobs(root, second)
        self.origins = Origins(root)
        self._second = second
        self._holds = Holds(root)
        self._lock = StoreLock(root)

    def names(self) -> list[Name]:
        """Every name with a manifest file, whether or not the manifest can be read.

        Sorted; those that only the second store has come last.
        """
        own = self._own_names()
        hidden = {name.folded for name in own}
        lent = self._second.names() if self._second else []
        return own + [name for name in lent if name.folded not in hidden]

    def _own_names(self) -> list[Name]:
        names = []
        for path in scan_manifests(self.manifests).paths:
            try:
                names.append(name_of(path))
            except InvalidName:
                log.warning("%s is not a model name", path)
        return names

    def entries(self) -> Iterator[Stored]:
        """Every installed model, in the order of `names`. What cannot be read is logged and left
        out.
        """
        own = scan_manifests(self.manifests).paths
        hidden = {_folded(path) for path in own}
        lent = self._second.manifest_paths() if self._second else []
        for path in own + [path for path in lent if _folded(path) not in hidden]:
            try:
                yield _read(path)
            except (InvalidName, OSError) as cause:  # BadManifest is an OSError
                log.warning("manifest %s is skipped: %s", path, cause)

    def resolve(self, name: Name) -> Name:
        """`name` in the spelling under which it is stored, or would be stored.

        The exact spelling wins, then the first stored name that differs only in case, then the
        spelling of the folders that are there. A name of our own comes before the second store's.
        """
        if os.path.lexists(self._path(name)):
            return name
        same = [stored for stored in self.names() if stored.folded == name.folded]
        if same:
            return name if self._lent(name) and same[0] not in self._own_names() else same[0]
        folder, parts = self.manifests, []
        for part in name.parts[:-1]:
            parts.append(_stored_spelling(folder, part))
            folder /= parts[-1]
        return Name(parts[0], parts[1], parts[2], name.tag)

    def read(self, name: Name) -> Stored:
        """The manifest under `name`, in whichever case. Raises ModelNotFound, BadManifest."""
        stored = self.resolve(name)
        try:
            return _read(self._path(stored))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as cause:
            lent = self._lent(stored)
            if lent is None:
                raise ModelNotFound(name.short) from cause
        return _read(lent)

    def write(self, name: Name, manifest: Manifest) -> Name:
        """Install `manifest`, in one step; returns the name as stored.

        Raises BlobMissing when a blob of it is not in the store, StoreFull.
        """
        return self.write_raw(name, encode_manifest(manifest))

    def write_raw(self, name: Name, raw: bytes) -> Name:
        """Install a manifest byte for byte. Raises as `write`, and BadManifest.

        Blobs that only the second store has are taken over.
        """
        manifest = parse_manifest(raw)
        with self.holding(manifest.digests):
            for digest in sorted(manifest.digests):
                self.blobs.take_over(digest)
            with self._lock.held():
                for digest in sorted(manifest.digests):
                    if not self.blobs.owns(digest):
                        raise BlobMissing(str(digest))
                name = self.resolve(name)
                self._put(name, raw)
        return name

    def copy(self, source: Name, destination: Name) -> Name:
        """Give a model a second name, byte for byte; returns it as stored.

        A model of the second store becomes one of this store. Raises ModelNotFound and BadManifest
        for the source, and what `write` raises.
        """
        stored = self.read(source)
        if not self.owns(stored):
            destination = self.resolve(destination)
            if destination == stored.name:
                return destination
            return self.write_raw(destination, read_raw(stored.path)[0])
        with self._lock.held():
            stored = self.read(source)
            destination = self.resolve(destination)
            if destination != stored.name:
                self._put(destination, read_raw(stored.path)[0])
        return destination

    def delete(self, name: Name) -> Name:
        """Remove a model, and those of its blobs that no other model uses; returns it as stored.

        A damaged manifest can be deleted too. Raises ModelNotFound, ReadOnlyModel when only the
        second store has it.
        """
        with self._lock.held():
            stored = self.resolve(name)
            path = self._path(stored)
            digests = _needed(path)
            try:
                path.unlink()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as cause:
                if self._second and self._lent(stored):
                    raise ReadOnlyModel(name.short, str(self._second.root)) from cause
                raise ModelNotFound(name.short) from cause
            upkeep.remove_empty_folders(path.parent, self.manifests)
            self.origins.forget(stored)
            self._remove(digests)
        return stored

    def remove_unreferenced(self, digests: Iterable[Digest]) -> list[Digest]:
        """Delete those of these blobs that no model uses; returns the deleted ones."""
        with self._lock.held():
            return self._remove(digests)

    def _remove(self, digests: Iterable[Digest]) -> list[Digest]:
        held = self._holds.find()
        return upkeep.remove_unreferenced(self.manifests, self.blobs.folder, digests, held)

    def holding(self, digests: Iterable[Digest]) -> AbstractContextManager[None]:
        """Inside the `with`, nobody removes these blobs, nor what is there of them already."""
        return self._holds.held(digests)

    def prune(
        self,
        now: float,
        older_than: float | None = None,
        *,
        keep: Set[Digest] = frozenset(),
        dry_run: bool = False,
    ) -> upkeep.Garbage:
        """Delete blobs and leftovers that no model uses, older than so many seconds; returns what
        is deleted, or would be. Without a number an hour, for downloads that were cut a week.

        `now` is in seconds since 1970. Blobs in `keep` and what anybody holds stay. Nothing is
        deleted when any manifest is damaged.
        """
        work = upkeep.find_garbage if dry_run else upkeep.prune
        with self._lock.held():
            if not dry_run:
                remove_abandoned(self.root)
            wanted = upkeep.Wanted(now, older_than, keep | self._holds.find())
            return work(self.manifests, self.blobs.folder, wanted)

    def discard_blob(self, digest: Digest) -> None:
        """Take a damaged blob out of use; the second store keeps it, but it is not used any more
        by this process.
        """
        with self._lock.held():
            self.blobs.discard(digest)

    def repair_blob_names(self) -> list[str]:
        """Rename blobs that are called `sha256:<hex>`, as old stores do; returns the new names."""
        with self._lock.held():
            return upkeep.repair_blob_names(self.blobs.folder)

    def _path(self, name: Name) -> Path:
        return self.manifests / name.relative_path

    def _lent(self, name: Name) -> Path | None:
        """The second store's manifest of exactly this name."""
        return self._second.manifest(name) if self._second else None

    def owns(self, stored: Stored) -> bool:
        """Whether the model is in this store itself."""
        return stored.path == self._path(stored.name)

    def _put(self, name: Name, raw: bytes) -> None:
        path = self._path(name)
        make_folders(path.parent)
        replace_file(path, raw, path.parent.parent, upkeep.TEMP_PREFIX)


def _folded(path: Path) -> tuple[str, ...]:
    """What the paths of two manifests whose names differ only in case have in common."""
    return tuple(part.lower() for part in path.parts[-4:])


def _read(path: Path) -> Stored:
    name = name_of(path)
    raw, modified_ns = read_raw(path)
    return Stored(name, parse_manifest(raw), Digest.of(raw).hex, modified_ns, path)


def _needed(path: Path) -> frozenset[Digest]:
    """The blobs of a manifest that is about to go, as far as they can be told."""
    try:
        raw, _ = read_raw(path)
    except OSError as cause:  # missing is found by the caller, too
        log.warning("manifest %s cannot be read, its blobs stay: %s", path, cause)
        return frozenset()
    try:
        return parse_manifest(raw).digests
    except BadManifest:
        return mentioned_digests(raw)


def _stored_spelling(folder: Path, part: str) -> str:
    """The entry of `folder` that is `part`, or is it in another case; else `part` itself."""
    if os.path.lexists(folder / part):
        return part
    try:
        spellings = sorted(os.listdir(folder))
    except OSError:
        return part
    return next((entry for entry in spellings if entry.lower() == part.lower()), part)
