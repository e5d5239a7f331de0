"""A store of another program, read in place: its models are seen and used, nothing there is ever
written. What leads out of it, by a link, is not there.
"""

from __future__ import annotations

import os
from pathlib import Path

from puna.errors import InvalidName
from puna.models.digest import Digest
from puna.models.name import Name
from puna.models.scan import name_of, scan_manifests

__all__ = ["SecondStore"]


class SecondStore:
    """The store at `root`, in the reference's layout; it need not exist. Safe in threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifests = root / "manifests"
        self._distrusted: set[Digest] = set()

    def names(self) -> list[Name]:
        """Every name with a manifest file, sorted."""
        names = []
        for path in self.manifest_paths():
            try:
                names.append(name_of(path))
            except InvalidName:
                continue
        return names

    def manifest_paths(self) -> list[Path]:
        """Every manifest file, sorted."""
        if not self._manifests.is_dir():
            return []
        return [path for path in scan_manifests(self._manifests).paths if self._inside(path)]

    def manifest(self, name: Name) -> Path | None:
        """Where the manifest of exactly this name lies, None without one."""
        path = self._manifests / name.relative_path
        return path if self._inside(path) else None

    def blob(self, digest: Digest) -> Path | None:
        """Where the blob lies, None without one. The path has no links in it."""
        if digest in self._distrusted:
            return None
        folder = self.root / "blobs"
        for name in (digest.file_name, str(digest)):  # the second is how old stores spell it
            found = self._inside(folder / name)
            if found is not None:
                return found
        return None

    def distrust(self, digest: Digest) -> None:
        """From now on this blob is not there: it is not what its name says."""
        self._distrusted.add(digest)

    def _inside(self, path: Path) -> Path | None:
        """The file that `path` leads to, None unless it is a plain one in this store."""
        try:
            found = Path(os.path.realpath(path, strict=True))
        except (OSError, ValueError):
            return None
        if found.is_relative_to(os.path.realpath(self.root)) and found.is_file():
            return found
        return None
