"""What was said to an agent, on disk: lines of JSON, for their owner only, few and not for ever.

A file is written line by line, so that a kill costs the last line at most.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from puna.client.fields import Json, as_object, as_text
from puna.errors import ClientError

__all__ = ["Saved", "Transcript", "find_transcript", "prune_transcripts", "read_transcript"]

MOST_BYTES = 16 * 1024 * 1024  # of one file
MOST_FILES = 50
MOST_DAYS = 30
_ENDING = ".jsonl"
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{3}[0-9a-f]{4}")


@dataclass(slots=True)
class Transcript:
    """A conversation that is being written down. Without a path, nothing is written."""

    path: Path | None
    _bytes: int = field(default=0)

    @classmethod
    def begin(cls, folder: Path, model: str, work_folder: Path) -> Transcript:
        """A new file. A disk that refuses costs only the transcript."""
        moment = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:-3]  # to the millisecond
        name = f"{moment}{secrets.token_hex(2)}{_ENDING}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            os.close(os.open(folder / name, flags, 0o600))
        except OSError:
            return cls(None)
        made = cls(folder / name)
        made._write({"type": "start", "model": model, "folder": str(work_folder)})
        return made

    @classmethod
    def resume(cls, path: Path) -> Transcript:
        """Go on with a file."""
        return cls(path, path.stat().st_size)

    @property
    def id(self) -> str:
        """The name that `--resume` takes; empty where nothing is written."""
        return self.path.stem if self.path else ""

    def add(self, message: Json) -> None:
        """Write down a message."""
        self._write({"type": "message", "message": message})

    def replace(self, messages: Sequence[Json]) -> None:
        """Write down that these messages have taken the place of all before."""
        self._write({"type": "compacted", "messages": list(messages)})

    def _write(self, line: Json) -> None:
        if self.path is None:
            return
        raw = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if self._bytes + len(raw) > MOST_BYTES:
            self.path = None  # what was written stays
            return
        try:
            with self.path.open("ab") as file:
                file.write(raw)
        except OSError:
            self.path = None
        self._bytes += len(raw)


@dataclass(frozen=True, slots=True)
class Saved:
    """A conversation that was written down."""

    model: str
    folder: str
    messages: list[Json]


def read_transcript(path: Path) -> Saved:
    """Read a file as far as it can be read. Raises ClientError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
    except OSError as error:
        raise ClientError(f"the conversation {path.stem} cannot be read: {error}") from error
    model = folder = ""
    messages: list[Json] = []
    for raw in data.split(b"\n"):
        try:
            line = as_object(json.loads(raw))
        except ValueError:  # cut by a kill
            continue
        match line.get("type"):
            case "start":
                model, folder = as_text(line, "model"), as_text(line, "folder")
            case "message":
                messages.append(as_object(line.get("message")))
            case "compacted":
                given = line.get("messages")
                messages = [as_object(m) for m in given] if isinstance(given, list) else []
    while messages and messages[-1].get("tool_calls"):
        messages.pop()  # the results are missing
    return Saved(model, folder, messages)


def find_transcript(folder: Path, name: str, work_folder: Path) -> Path:
    """The file of a conversation; `last` is the latest of this folder. Raises ClientError."""
    if name != "last":
        path = folder / (name + _ENDING)
        if not _ID.fullmatch(name) or not path.is_file():
            raise ClientError(f"there is no conversation '{name}' in {folder}")
        return path
    for path in reversed(_files(folder)):
        if read_transcript(path).folder == str(work_folder):
            return path
    raise ClientError(f"no conversation was held in {work_folder}")


def prune_transcripts(folder: Path, now: Callable[[], float] = time.time) -> None:
    """Delete those that are too many or too old."""
    paths = _files(folder)
    oldest = now() - MOST_DAYS * 86400
    for number, path in enumerate(paths):
        with suppress(OSError):
            if number < len(paths) - MOST_FILES or path.stat().st_mtime < oldest:
                path.unlink()


def _files(folder: Path) -> list[Path]:
    """The files, those last that were written last."""
    try:
        found = [path for path in folder.iterdir() if _ID.fullmatch(path.stem)]
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
    except OSError:
        return []
