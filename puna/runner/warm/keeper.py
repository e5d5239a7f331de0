"""What is saved for one model: found by tokens, read when a prompt needs it, added to at the end.

Host memory first, then the disk: what must leave the memory goes to the disk where there is one.
"""

from __future__ import annotations

import logging
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path

from puna.discover.memory import available_memory
from puna.runner.protocol import WarmPlan
from puna.runner.warm.choose import Part, cover, longest_whole
from puna.runner.warm.folder import SUFFIX, Folder, copy_file, open_folder
from puna.runner.warm.form import Damaged, Entry, Foreign, encode_head, read_head, read_payload

__all__ = ["Keeper", "open_keeper", "open_memory"]

log = logging.getLogger(__name__)

_SHARE = 4  # one file may take a quarter of the memory that is available
_MOST_FILES = 2048  # of one model
_AHEAD = 1 << 30  # bytes that are read before their turn
_NAME = 8  # bytes of the fingerprint in a file's name


def open_keeper(plan: WarmPlan, fingerprint: bytes) -> Keeper:
    """Read the heads of what is saved for a model. A folder that cannot be used is left out."""
    folders = []
    for path, limit, opener in (
        (plan.memory, plan.memory_limit, open_memory),
        (plan.disk, plan.disk_limit, open_folder),
    ):
        if not path or not limit:
            continue
        try:
            folder = opener(Path(path), limit)
            folder.tidy()
            folders.append(folder)
        except OSError as cause:
            log.warning("prefixes are not kept in %s: %s", path, cause)
    return Keeper(folders, fingerprint)


def open_memory(path: Path, limit: int) -> Folder:
    """A folder that lies in memory: it takes its share of what is available, no more."""

    def spare() -> int | None:
        available = available_memory()
        return None if available is None else available // _SHARE

    return open_folder(path, limit, spare)


class Keeper:
    """The saved prefixes of one model. Not thread-safe: it belongs to the loop."""

    def __init__(
        self, folders: Sequence[Folder], fingerprint: bytes, worth: int = 16, longest: int = 2048
    ) -> None:
        """`folders` come with the one that is tried first.

        Fewer than `worth` tokens are not worth a file. A file has `longest` at most, so that a long
        prompt comes back as far as there was time and room to save it.
        """
        self.worth = worth
        self.longest = longest
        self._folders = folders
        self._fingerprint = fingerprint
        self._beginning = fingerprint[:_NAME].hex() + "-"
        self._entries: dict[str, Entry] = {}
        self._reader = ThreadPoolExecutor(1, "prefixes")  # its thread starts when it is needed
        self._ahead: dict[str, Future[tuple[Entry, memoryview]]] = {}
        for folder in folders:
            for path in folder.files(self._beginning)[:_MOST_FILES]:
                self._know(path)

    def _know(self, path: Path) -> None:
        if path.name not in self._entries:
            with _ignoring(path):
                self._entries[path.name] = read_head(path, self._fingerprint)

    def cover(self, tokens: Sequence[int], start: int = 0) -> list[Part]:
        """What is saved of a prompt from `start` on, run by run."""
        if not self._entries:
            return []
        return cover(self._entries.values(), array("i", tokens), start)

    def longest_whole(self, tokens: Sequence[int]) -> Part | None:
        """The longest beginning of a prompt that was saved as a whole sequence."""
        if not self._entries:
            return None
        return longest_whole(self._entries.values(), array("i", tokens))

    def are_read(self, parts: Sequence[Part]) -> bool:
        """Whether `read` gives these runs at once. Those it does not are read in the background;
        what was read for another prompt is dropped. Somebody else's decodes go on meanwhile.
        """
        if not parts:
            return True
        ahead: dict[str, Future[tuple[Entry, memoryview]]] = {}
        size = 0
        for part in parts:
            path = part.entry.path
            size += part.entry.size
            if size > _AHEAD:
                break
            ahead[path.name] = self._ahead.get(path.name) or self._reader.submit(
                read_payload, path, self._fingerprint
            )
        self._ahead = ahead
        return all(reading.done() for reading in ahead.values())

    def read(self, entry: Entry) -> memoryview | None:
        """The engine's bytes of a run, None when they cannot be had any more."""
        ahead = self._ahead.pop(entry.path.name, None)
        with _ignoring(entry.path):
            found, payload = (
                ahead.result() if ahead else read_payload(entry.path, self._fingerprint)
            )
            if (found.start, found.tokens) == (entry.start, entry.tokens):
                return payload
        self.forget(entry)
        return None

    def drop_ahead(self) -> None:
        """Give back the memory of what was read and not asked for."""
        self._ahead = {}

    def forget(self, entry: Entry) -> None:
        """Do not offer a run again."""
        self._entries.pop(entry.path.name, None)

    def touch(self, parts: Sequence[Part]) -> None:
        """Note that runs were of use; the first of a sequence counts as the most recent."""
        now = time.time_ns()
        for number, part in enumerate(reversed(parts)):
            with suppress(OSError):
                os.utime(part.entry.path, ns=(now + number, now + number))

    def save(self, tokens: Sequence[int], start: int, payload: memoryview) -> bool:
        """Keep the cells of `tokens[start:]`. False when there are none, or no room for them."""
        if not payload:
            return False
        head = encode_head(self._fingerprint, tokens, start, payload)
        key = blake2b(array("i", [start, *tokens]).tobytes(), digest_size=16).hexdigest()
        name = f"{self._beginning}{key}{SUFFIX}"
        size = len(head) + len(payload)
        for number, folder in enumerate(self._folders):
            evicted = partial(_move, folders=self._folders[number + 1 :])
            try:
                saved = folder.add(name, size, [head, payload], evicted=evicted)
            except OSError as cause:
                log.warning("a prefix is not saved in %s: %s", folder.path, cause)
                continue
            if saved:
                self._know(folder.path / name)
                return True
        return False


@contextmanager
def _ignoring(path: Path) -> Iterator[None]:
    """Turn what can be wrong with a file into a log line. Damaged ones are removed."""
    try:
        yield
    except FileNotFoundError:  # somebody else needed the room
        pass
    except (Damaged, Foreign, OSError) as cause:
        log.warning("ignoring the saved prefix %s: %s", path, cause)
        if isinstance(cause, Damaged):
            with suppress(OSError):
                path.unlink()


def _move(path: Path, folders: Sequence[Folder]) -> None:
    """Put a file that must go into the first of these folders that takes it."""
    for folder in folders:
        with suppress(OSError):
            if copy_file(path, folder):
                return
