"""Looking through the manifests on disk. One bad entry never hides the others.

Facts: models spec, sections 2 and 13.1, weak points W1 and W4.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import BadManifest, InvalidName
from puna.models.digest import Digest
from puna.models.manifest import MAX_MANIFEST_BYTES, mentioned_digests, parse_manifest
from puna.models.name import Name

__all__ = ["References", "Scan", "find_references", "name_of", "read_raw", "scan_manifests"]

log = logging.getLogger(__name__)

DEPTH = 4  # host, namespace, model, tag


@dataclass(frozen=True, slots=True)
class Scan:
    """Every entry at a manifest's depth, sorted, and the folders that could not be looked into."""

    paths: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def scan_manifests(folder: Path) -> Scan:
    """Find what lies four levels below `folder`, folders left out. Never fails."""
    found = Scan()
    _look(folder, DEPTH, found)
    return found


def _look(folder: Path, depth: int, found: Scan) -> None:
    for entry in _entries(folder, found):
        is_folder = _is_folder(entry)
        if depth > 1 and is_folder:
            _look(folder / entry.name, depth - 1, found)
        elif depth == 1 and not is_folder:
            found.paths.append(folder / entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one
        return False


def _entries(folder: Path, found: Scan) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as cause:
        log.warning("cannot look into %s: %s", folder, cause)
        found.unreadable.append(folder)
        return []


def name_of(path: Path) -> Name:
    """The model name that a manifest's path spells. Raises InvalidName."""
    return Name(*path.parts[-DEPTH:])


def read_raw(path: Path) -> tuple[bytes, int]:
    """The bytes of a manifest file and its modification time in nanoseconds.

    Raises OSError, and BadManifest when it is not a file or is huge.
    """
    with open(path, "rb", opener=_open) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_MANIFEST_BYTES:
            raise BadManifest(f"{path} is not a file, or is too large for a manifest")
        return file.read(MAX_MANIFEST_BYTES + 1), about.st_mtime_ns


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a fifo must not make us wait


@dataclass(slots=True)
class References:
    """What the manifests on disk need.

    `complete` is False when a manifest may exist whose content is unknown: then nothing may be
    deleted. `sound` is False when any entry is damaged, misnamed or dangling.
    """

    digests: set[Digest] = field(default_factory=set)
    complete: bool = True
    sound: bool = True


def find_references(folder: Path) -> References:
    """Collect every digest that any manifest under `folder` names, damaged manifests included."""
    found = scan_manifests(folder)
    references = References(complete=not found.unreadable, sound=not found.unreadable)
    for path in found.paths:
        try:
            _refer(path, references)
        except FileNotFoundError:
            log.warning("manifest %s leads nowhere", path)
            references.sound = False
        except OSError as cause:
            log.warning("manifest %s cannot be read: %s", path, cause)
            references.complete = references.sound = False
    return references


def _refer(path: Path, references: References) -> None:
    try:
        raw, _ = read_raw(path)
    except BadManifest as cause:
        log.warning("%s", cause)
        references.sound = False
        return
    try:
        name_of(path)
        references.digests |= parse_manifest(raw).digests
    except (BadManifest, InvalidName) as cause:
        log.warning("manifest %s is damaged or misnamed: %s", path, cause)
        references.sound = False
        references.digests |= mentioned_digests(raw)
