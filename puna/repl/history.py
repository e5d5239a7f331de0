"""What was typed before: kept in a file of at most 100 lines, readable by its owner only.

Facts: CLI spec, section 2.6.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["History"]

LIMIT = 100


class History:
    """The entries in the order of typing. `saving` says whether new ones reach the file; one that
    was added while it was off never does.
    """

    def __init__(self, path: Path, *, saving: bool = True) -> None:
        self.path = path
        self.saving = saving
        self.entries: list[str] = []
        self._kept: list[str] = []  # those that the file has

    def load(self) -> None:
        """Read the file, if there is one; blank lines do not count."""
        try:
            text = self.path.read_text("utf-8", "replace")
        except OSError:
            return
        # Only newlines end an entry; splitlines() would break at more.
        self._kept = [line for line in text.split("\n") if line.strip()][-LIMIT:]
        self.entries = self._kept

    def add(self, entry: str) -> None:
        """Take up an entry and write the file anew. A disk that refuses costs only the history."""
        if not entry.strip():
            return
        self.entries = [*self.entries, entry][-LIMIT:]
        if self.saving:
            self._kept = [*self._kept, entry][-LIMIT:]
            try:
                self._write()
            except OSError:
                self.saving = False

    def _write(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".tmp")
        text = "".join(entry + "\n" for entry in self._kept)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        fresh.chmod(0o600)  # an older file may have been open to others
        fresh.replace(self.path)
