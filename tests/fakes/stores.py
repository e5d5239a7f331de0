"""Whole stores on disk: made, made read-only, and compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from puna.models.library import Library
from puna.models.manifest import MODEL, Layer, Manifest
from puna.models.name import Name

__all__ = ["add_model", "read_only", "snapshot"]


def add_model(library: Library, name: str, weights: bytes) -> Manifest:
    """Install a model with one layer of these bytes."""
    digest = library.blobs.add(weights).digest
    manifest = Manifest(layers=(Layer(MODEL, digest, len(weights)),))
    library.write(Name.parse(name), manifest)
    return manifest


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything under `root`: mode, time of modification, and content or target."""
    found = {}
    for path in sorted(root.rglob("*")):
        about = path.lstat()
        content = b"" if path.is_dir() or path.is_symlink() else path.read_bytes()
        target = str(path.readlink()).encode() if path.is_symlink() else content
        found[str(path.relative_to(root))] = (about.st_mode, about.st_mtime_ns, target)
    return found


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    """Take away every right to write under `root`, and fail if anything there changed."""
    paths = [path for path in (root, *root.rglob("*")) if not path.is_symlink()]
    modes = {path: path.stat().st_mode for path in paths}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    before = snapshot(root)
    try:
        yield
        assert snapshot(root) == before
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
