"""The server's side: a folder in memory that lives as long as the server, and its way to the disk.

A runner dies with its model; what it saves in memory is here for the next one. When the server ends
in order it goes to the disk, if there is a folder for it, and is removed. What a killed server left
is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from puna.runner.protocol import WarmPlan
from puna.runner.warm.folder import copy_file, open_folder

__all__ = ["WarmHome"]

log = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")
_OWNER = "server"  # locked as long as the server lives
_YOUNG_SECONDS = 60.0  # a folder without that file may still be about to get it
_FLUSH_SECONDS = 20.0


class WarmHome:
    """Where the prefixes of models are while they are not loaded. Close it."""

    def __init__(
        self,
        memory_limit: int,
        disk: Path | None,
        disk_limit: int,
        shared_memory: Path = SHARED_MEMORY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the folder in memory, where there is such a thing. Limits in bytes; 0 is off."""
        self._clock = clock
        self._disk = disk if disk_limit else None
        self._disk_limit = disk_limit
        self._memory_limit = memory_limit
        self._lock = -1
        self._memory: Path | None = None
        if memory_limit and shared_memory.is_dir():
            try:
                self._make_memory(shared_memory)
            except OSError as cause:
                log.warning("prefixes are not kept in memory: %s", cause)

    @property
    def plan(self) -> WarmPlan | None:
        """What a runner is told; None when nothing is kept."""
        if self._memory is None and self._disk is None:
            return None
        return WarmPlan(
            memory=str(self._memory or ""),
            memory_limit=self._memory_limit,
            disk=str(self._disk or ""),
            disk_limit=self._disk_limit,
        )

    def close(self) -> None:
        """Bring what is in memory to the disk, as far as it goes, and give the memory back.

        Every runner must have ended. Idempotent.
        """
        if self._memory is None:
            return
        if self._disk is not None:
            try:
                self._flush(self._memory, self._disk)
            except OSError as cause:
                log.warning("prefixes are not kept in %s: %s", self._disk, cause)
        shutil.rmtree(self._memory, ignore_errors=True)
        os.close(self._lock)
        self._memory = None

    def _make_memory(self, parent: Path) -> None:
        beginning = f"puna-{os.geteuid()}-"
        for left in parent.glob(f"{beginning}*"):
            with contextlib.suppress(OSError):
                _remove_abandoned(left)
        folder = Path(tempfile.mkdtemp(prefix=beginning, dir=parent))
        self._lock = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._memory = folder

    def _flush(self, memory: Path, disk: Path) -> None:
        """The most recently used first: time may run out."""
        files = open_folder(memory, self._memory_limit).files()
        if not files:
            return
        until = self._clock() + _FLUSH_SECONDS
        target = open_folder(disk, self._disk_limit)
        target.tidy()
        for number, path in enumerate(files):
            if self._clock() > until:
                log.warning("no time to save %d prefixes", len(files) - number)
                return
            copy_file(path, target)


def _remove_abandoned(folder: Path) -> None:
    """Remove the folder of a server that is gone. Raises OSError when it is not."""
    status = folder.lstat()
    if status.st_uid != os.geteuid() or not folder.is_dir() or folder.is_symlink():
        return
    try:
        handle = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        if time.time() - status.st_mtime > _YOUNG_SECONDS:
            shutil.rmtree(folder)
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(handle)
