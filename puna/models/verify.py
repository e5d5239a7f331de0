"""Whether blobs are what their names say: read whole and hashed, without any lock."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from pathlib import Path

from puna.models.linking import open_plain
from puna.models.manifest import Layer

__all__ = ["check_blob"]

_READ_BYTES = 16 * 1024 * 1024


def check_blob(path: Path, layer: Layer) -> Generator[int, None, str]:
    """Read the blob of `layer` at `path`, yielding how many bytes are done.

    Returns what is wrong with it, "" for nothing.
    """
    try:
        with open_plain(path) as file:
            hashed, done = hashlib.sha256(), 0
            while piece := file.read(_READ_BYTES):
                hashed.update(piece)
                done += len(piece)
                yield done
    except FileNotFoundError:
        return "it is missing"
    except OSError as cause:
        return f"it cannot be read: {cause.strerror or cause}"
    if done != layer.size:
        return f"it has {done} bytes instead of {layer.size}"
    if hashed.hexdigest() != layer.digest.hex:
        return "its content is not what was stored"
    return ""
