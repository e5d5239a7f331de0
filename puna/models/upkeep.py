"""Housekeeping of a store: what no model needs is removed, old file names are repaired.

Facts: models spec, sections 2.3 and 13.5. The caller holds the store's lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

from puna.errors import InvalidDigest
from puna.models.digest import Digest
from puna.models.scan import find_references

__all__ = [
    "TEMP_PREFIX",
    "prune",
    "remove_empty_folders",
    "remove_unreferenced",
    "repair_blob_names",
]

log = logging.getLogger(__name__)

GRACE_SECONDS = 3600
"""How long a blob that no manifest names yet may count on staying."""

TEMP_PREFIX = ".puna-"
"""Manifests being written: in the namespace's folder, above the depth at which anyone looks."""

_PARTIAL = re.compile(r"(sha256-[0-9a-fA-F]{64})-partial(-\d+)?")


def remove_unreferenced(manifests: Path, blobs: Path, digests: Iterable[Digest]) -> list[Digest]:
    """Delete those of `digests` that no manifest names; returns the deleted ones.

    Nothing is deleted while some manifest cannot be read for outside reasons: it may need them.
    """
    references = find_references(manifests)
    if not references.complete:
        log.warning("unused blobs are kept: not every manifest under %s can be read", manifests)
        return []
    removed = []
    for digest in sorted(set(digests) - references.digests):
        with contextlib.suppress(FileNotFoundError):
            (blobs / digest.file_name).unlink()
            removed.append(digest)
    return removed


def prune(manifests: Path, blobs: Path, now: float) -> list[str]:
    """Delete blobs and leftovers that no manifest names and that are older than an hour.

    `now` is in seconds since 1970. Returns the deleted file names. Does nothing at all when any
    manifest is damaged or misnamed.
    """
    for leftover in manifests.glob(f"*/*/{TEMP_PREFIX}*"):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)  # its writer held the lock, so it is gone
    references = find_references(manifests)
    if not references.sound:
        log.warning("nothing is pruned: not every manifest under %s is sound", manifests)
        return []
    files = _files(blobs)
    youngest: dict[str, float] = {}
    for name, modified in files.items():
        youngest[_group(name)] = max(modified, youngest.get(_group(name), modified))
    removed = []
    for name in files:
        if now - youngest[_group(name)] < GRACE_SECONDS or _is_needed(name, references.digests):
            continue
        (blobs / name).unlink(missing_ok=True)
        removed.append(name)
    for folder in sorted(manifests.glob("*/*/*"), reverse=True):
        remove_empty_folders(folder, manifests)
    return removed


def _files(folder: Path) -> dict[str, float]:
    """The regular files in `folder` and their modification times."""
    files = {}
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        files[entry.name] = entry.stat(follow_symlinks=False).st_mtime
    return files


def _group(name: str) -> str:
    """Files that are of use only together: a download's data and the states of its parts."""
    match = _PARTIAL.fullmatch(name)
    return f"{match[1]}-partial" if match else name


def _is_needed(name: str, digests: set[Digest]) -> bool:
    try:
        return Digest.parse(name) in digests
    except InvalidDigest:
        return False


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
