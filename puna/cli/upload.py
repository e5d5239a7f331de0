"""Sending local files to a server's blobs: hashed in parallel, and only what it does not have."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from puna.client.client import Client
from puna.term.progress import Bar, Progress

__all__ = ["send_files"]

CHUNK = 1 << 20


def send_files(client: Client, paths: Iterable[Path], progress: Progress) -> dict[Path, str]:
    """Make the server have every file; returns their digests. Raises OSError or ClientError."""
    wanted = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1)) as pool:
        digests = dict(zip(wanted, pool.map(read_digest, wanted), strict=True))
        sent = dict(zip(digests.values(), digests.keys(), strict=True))
        tasks = [pool.submit(_send, client, key, path, progress) for key, path in sent.items()]
        for task in tasks:
            task.result()
    return digests


def read_digest(path: Path) -> str:
    """The digest `sha256:…` of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _send(client: Client, digest: str, path: Path, progress: Progress) -> None:
    if client.has_blob(digest):
        return
    bar = Bar(f"copying file {digest}", path.stat().st_size)
    progress.add(bar)
    client.send_blob(digest, _read_chunks(path, bar), bar.total)


def _read_chunks(path: Path, bar: Bar) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
            done += len(chunk)
            bar.set(done)
