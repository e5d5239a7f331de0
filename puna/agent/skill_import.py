"""Copying the skills of other agents into the user's folder, never over one that is there.

Facts: CLI spec, section 5.4.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from puna.agent.fence import Refused
from puna.agent.files import read_bytes
from puna.agent.skills import is_skill, read_skill

__all__ = ["SOURCES", "import_skills"]

SOURCES = {
    "codex": Path(".codex/skills"),
    "claude": Path(".claude/skills"),
    "pi": Path(".pi/agent/skills"),
}
"""Where others keep skills, below the user's home."""

_MOST_FILES = 1000  # of one skill
_MOST_BYTES = 64 * 1024 * 1024


def import_skills(source: Path, target: Path) -> tuple[list[str], list[str]]:
    """Copy the skills of a folder; returns the names of those that came, and why others did not.

    Symbolic links are not followed. Raises OSError if the target cannot be written.
    """
    came: list[str] = []
    problems: list[str] = []
    if not source.is_dir():
        return came, [f"there is no folder {source}"]
    target.mkdir(parents=True, exist_ok=True)
    for folder in sorted(source.iterdir()):
        if not is_skill(folder):
            continue
        try:
            _copy(folder, target / read_skill(folder).name)
            came.append(folder.name)
        except Refused as error:
            problems.append(f"skill {folder.name} is left out: {error}")
    return came, problems


def _copy(folder: Path, place: Path) -> None:
    """Copy one skill as a whole or not at all. Raises Refused."""
    if os.path.lexists(place):
        raise Refused(f"{place} is there already")
    fresh = Path(tempfile.mkdtemp(prefix=".puna-", dir=place.parent))
    try:
        size = 0
        for number, file in enumerate(_files(folder), 1):
            data = read_bytes(file, _MOST_BYTES + 1)
            size += len(data)
            if number > _MOST_FILES or size > _MOST_BYTES:
                raise Refused(f"it has more than {_MOST_FILES} files or {_MOST_BYTES} bytes")
            copy = fresh / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            copy.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
        fresh.chmod(0o755)
        fresh.rename(place)
    except OSError as error:
        raise Refused(f"it cannot be copied: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder."""
    for place, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path
