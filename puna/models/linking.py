"""A file under a second name without a second copy: a clone where the file system can, else a link.

A clone shares its blocks until one side is changed; a hard link is the same file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import sys
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from puna.errors import StoreError
from puna.models.durable import create_temp

__all__ = ["Way", "clone_or_link", "open_plain"]

FICLONE = 0x40049409  # linux/fs.h


class Way(Enum):
    """How a file came into the store."""

    PRESENT = "was there"
    CLONED = "cloned"
    LINKED = "linked"
    COPIED = "copied"


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading; the last part of `path` may not be a link.

    Raises OSError, StoreError.
    """
    file = os.fdopen(
        os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb"
    )
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise StoreError(f"{path} is not a file")
    return file


def clone_or_link(source: Path, handle: int, folder: Path, prefix: str) -> tuple[Path, Way] | None:
    """Give the open file a new name `<prefix><random digits>` in `folder`.

    None where the file system can do neither, or `source` is not the open file any more.
    """
    return _clone(handle, folder, prefix) or _link(source, handle, folder, prefix)


def _clone(handle: int, folder: Path, prefix: str) -> tuple[Path, Way] | None:
    if sys.platform != "linux":
        return None
    target, path = create_temp(folder, prefix, 0o600)
    try:
        fcntl.ioctl(target, FICLONE, handle)
        os.fchmod(target, 0o644)
    except OSError:
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(target)
    return path, Way.CLONED


def _link(source: Path, handle: int, folder: Path, prefix: str) -> tuple[Path, Way] | None:
    path = folder / f"{prefix}{secrets.randbelow(10**10)}"
    try:
        os.link(source, path, follow_symlinks=False)
        is_same = os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return None
    if not is_same:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return None
    return path, Way.LINKED
