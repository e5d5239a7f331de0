"""Where things lie in Hugging Face's cache: `models--<owner>--<name>` holds blobs, and snapshots
that are folders of links to them. Opens nothing but the file that names the current snapshot.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["bound_of", "current_snapshot", "is_repository", "owner_and_name"]

PREFIX = "models--"


def is_repository(folder: Path) -> bool:
    """Whether the cache has a repository of a model there."""
    return folder.name.startswith(PREFIX) and (folder / "snapshots").is_dir()


def current_snapshot(repository: Path) -> Path | None:
    """The snapshot that `main` stands for, else the latest; None where there is none."""
    try:
        revision = (repository / "refs" / "main").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        revision = ""
    snapshots = repository / "snapshots"
    if re.fullmatch(r"[0-9a-f]{7,64}", revision) and (snapshots / revision).is_dir():
        return snapshots / revision
    folders = [path for path in snapshots.iterdir() if path.is_dir()]
    return max(folders, key=lambda path: path.stat().st_mtime, default=None)


def owner_and_name(repository: Path) -> tuple[str, str]:
    """Owner, which may be empty, and name of the repository that the folder's name says."""
    owner, separator, name = repository.name.removeprefix(PREFIX).partition("--")
    return (owner, name) if separator else ("", owner)


def bound_of(folder: Path) -> Path:
    """What no link in `folder` may leave, links followed: the folder itself; of a snapshot, whose
    files are links to the blobs beside it, the repository.
    """
    real = folder.resolve()
    repository = real.parent.parent
    is_snapshot = real.parent.name == "snapshots" and is_repository(repository)
    return repository if is_snapshot else real
