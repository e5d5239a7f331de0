"""Giving local files to a server: linked into its store where that is on this machine, else hashed
in parallel and sent, and only what it does not have.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from puna.client.client import Client
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.linking import Way
from puna.term.progress import Bar, Progress

__all__ = ["Given", "give_files", "read_digest"]

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Given:
    """A file that the server has now: `sha256:…`, how it came there, whether it was sent."""

    digest: str
    way: Way
    sent: bool = False


@contextmanager
def give_files(
    client: Client, store: Library | None, paths: Iterable[Path], progress: Progress
) -> Iterator[dict[Path, Given]]:
    """Make the server, whose local store is `store`, have every file.

    Nobody prunes what was linked before the `with` is left. Raises OSError or ClientError.
    """
    wanted = list(dict.fromkeys(paths))
    given = _link_all(store, wanted, progress) if store else None
    if store is None or given is None:
        yield _send_all(client, wanted, progress)
        return
    with store.holding({Digest.parse(each.digest) for each in given.values()}):
        yield given


def _link_all(store: Library, paths: list[Path], progress: Progress) -> dict[Path, Given] | None:
    """None where this user may not write to the store."""
    given = {}
    for path in paths:
        bar = Bar(f"reading file {path.name}", path.stat().st_size)
        progress.add(bar)
        try:
            adopted = store.blobs.adopt(path.resolve(), told=bar.set)
        except PermissionError:
            return None
        given[path] = Given(str(adopted.digest), adopted.way)
    return given


def _send_all(client: Client, paths: list[Path], progress: Progress) -> dict[Path, Given]:
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1)) as pool:
        digests = dict(zip(paths, pool.map(read_digest, paths), strict=True))
        unique = dict(zip(digests.values(), digests.keys(), strict=True))
        tasks = {key: pool.submit(_send, client, key, unique[key], progress) for key in unique}
        ways = {key: Way.COPIED if task.result() else Way.PRESENT for key, task in tasks.items()}
    return {path: Given(key, ways[key], sent=True) for path, key in digests.items()}


def read_digest(path: Path) -> str:
    """The digest `sha256:…` of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _send(client: Client, digest: str, path: Path, progress: Progress) -> bool:
    """False when the server had it."""
    if client.has_blob(digest):
        return False
    bar = Bar(f"copying file {digest}", path.stat().st_size)
    progress.add(bar)
    client.send_blob(digest, _read_chunks(path, bar), bar.total)
    return True


def _read_chunks(path: Path, bar: Bar) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
            done += len(chunk)
            bar.set(done)
