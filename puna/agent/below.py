"""Files below a folder, opened part by part: what has become a link meanwhile is not followed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["FOLDER", "parent_of", "replace_file"]

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
"""Flags that open a folder, and nothing else."""


@contextmanager
def parent_of(root: Path, path: Path, *, makes: bool = False) -> Iterator[tuple[int, str]]:
    """The folder that holds `path`, as a handle, and its name there; `.` if it is the root itself.

    With `makes`, missing folders on the way are made. Raises OSError.
    """
    *folders, name = path.relative_to(root).parts or (".",)
    handle = os.open(root, FOLDER)
    try:
        for part in folders:
            if makes:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            inner = os.open(part, FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle, name
    finally:
        os.close(handle)


def replace_file(folder: int, name: str, data: bytes) -> bool:
    """Put a file in place of what has that name, in one step and with its mode; False, and nothing
    is done, where that is no regular file. Raises OSError.
    """
    mode = 0o644
    with suppress(FileNotFoundError):
        there = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(there):
            return False
        mode = stat.S_IMODE(there)
    fresh = f".puna-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(fresh, flags, 0o600, dir_fd=folder)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        raise
    return True
