"""Housekeeping of a store: what no model needs is removed, old file names are repaired.

Facts: models spec, sections 2.3 and 13.5. The caller holds the store's lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import InvalidDigest
from puna.models.digest import Digest
from puna.models.holds import is_held
from puna.models.scan import find_references

__all__ = [
    "GRACE_SECONDS",
    "TEMP_PREFIX",
    "Garbage",
    "Wanted",
    "find_garbage",
    "remove_empty_folders",
    "remove_unreferenced",
    "repair_blob_names",
]

log = logging.getLogger(__name__)

GRACE_SECONDS = 3600
"""How long a blob that no manifest names yet may count on staying."""

DOWNLOAD_SECONDS = 7 * 86_400
"""How long a download that was cut may count on being taken up again."""

_PARTIAL = re.compile(r"(sha256-[0-9a-fA-F]{64})(-partial(-\d+|\.units)?|\.tmp)")

TEMP_PREFIX = ".puna-"
"""Manifests being written: in the namespace's folder, above the depth at which anyone looks."""

FRESH_SECONDS = 10
"""Whatever is younger is always kept: its writer may not have marked it as in use yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: files older than `older_than` seconds at the moment `now`, which is in
    seconds since 1970; never those of the digests in `held`. By default downloads may be older.
    """

    now: float
    older_than: float | None = None
    held: Set[Digest] = frozenset()

    def is_old(self, name: str, moment: float) -> bool:
        """Whether a file that was last changed then is old enough to go."""
        usual = DOWNLOAD_SECONDS if _PARTIAL.fullmatch(name) else GRACE_SECONDS
        grace = usual if self.older_than is None else self.older_than
        return self.now - moment >= max(grace, FRESH_SECONDS)


@dataclass(slots=True)
class Garbage:
    """File names among the blobs that nothing needs, and the bytes that deleting each sets free.

    `refusal` says why there was no search; `held` counts unneeded files that are in use.
    """

    files: dict[str, int] = field(default_factory=dict)
    held: int = 0
    refusal: str = ""


def remove_unreferenced(
    manifests: Path, blobs: Path, digests: Iterable[Digest], held: Set[Digest] = frozenset()
) -> list[Digest]:
    """Delete those of `digests` that no manifest names and that are not in `held`; returns the
    deleted ones.

    Nothing is deleted while some manifest cannot be read for outside reasons: it may need them.
    """
    references = find_references(manifests)
    if not references.complete:
        log.warning("unused blobs are kept: not every manifest under %s can be read", manifests)
        return []
    removed = []
    for digest in sorted(set(digests) - references.digests - held):
        with contextlib.suppress(FileNotFoundError):
            (blobs / digest.file_name).unlink()
            removed.append(digest)
    return removed


def prune(manifests: Path, blobs: Path, wanted: Wanted) -> Garbage:
    """Delete blobs and leftovers that nothing needs; returns what is deleted.

    Does nothing at all when any manifest is damaged or misnamed.
    """
    for leftover in manifests.glob(f"*/*/{TEMP_PREFIX}*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)  # its writer held the lock, so it is gone
    garbage = find_garbage(manifests, blobs, wanted)
    if garbage.refusal:
        log.warning("nothing is pruned: %s", garbage.refusal)
        return garbage
    for name in garbage.files:
        (blobs / name).unlink(missing_ok=True)
    for folder in sorted(manifests.glob("*/*/*"), reverse=True):
        remove_empty_folders(folder, manifests)
    return garbage


def find_garbage(manifests: Path, blobs: Path, wanted: Wanted) -> Garbage:
    """What `prune` would delete."""
    references = find_references(manifests)
    if not references.sound:
        return Garbage(refusal=f"not every manifest under {manifests} is sound")
    files = _files(blobs)
    youngest: dict[str, float] = {}
    for name, about in files.items():
        moment = max(about.st_mtime, about.st_ctime)
        youngest[_group(name)] = max(moment, youngest.get(_group(name), moment))
    old = [
        name
        for name in files
        if wanted.is_old(name, youngest[_group(name)])
        and not _is_needed(name, references.digests, wanted.held)
    ]
    in_use = {_group(name) for name in old if is_held(blobs / name)}
    gone = [name for name in old if _group(name) not in in_use]
    return Garbage({name: _freed(files[name]) for name in gone}, len(old) - len(gone))


def _freed(about: os.stat_result) -> int:
    """Bytes on disk; a file with another name elsewhere stays."""
    return about.st_blocks * 512 if about.st_nlink == 1 else 0


def _files(folder: Path) -> dict[str, os.stat_result]:
    """The regular files in `folder`."""
    files = {}
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        files[entry.name] = entry.stat(follow_symlinks=False)
    return files


def _group(name: str) -> str:
    """Files that are of use only together: a download's data and the states of its parts."""
    match = _PARTIAL.fullmatch(name)
    return f"{match[1]}-partial" if match else name


def _is_needed(name: str, referenced: Set[Digest], held: Set[Digest]) -> bool:
    """Whether the file is a blob that is referenced, or belongs to one that is on hold."""
    match = _PARTIAL.fullmatch(name)
    try:
        digest = Digest.parse(match[1] if match else name)
    except InvalidDigest:
        return False
    return digest in (held if match else referenced | held)


def remove_empty_folders(folder: Path, root: Path) -> None:
    """Remove `folder` and its parents below `root` as far as they are empty."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def repair_blob_names(blobs: Path) -> list[str]:
    """Rename files `sha256:<x>` of old stores to `sha256-<x>`; returns the new names."""
    repaired = []
    for folder, _, names in os.walk(blobs):
        for name in names:
            kind, colon, rest = name.partition(":")
            target = Path(folder, f"sha256-{rest}")
            if kind == "sha256" and colon and not target.exists():
                Path(folder, name).rename(target)
                repaired.append(target.name)
    return repaired
