"""Changing files of other programs, so that nothing of the user's is lost.

A file is replaced in one step and copied to a folder of backups before; what stood in it before
Puna ever changed it is kept, for `--restore`. Facts: CLI spec, section 4.4.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import BadRequest
from puna.launch.documents import FORMS, MEND, Form, read_document
from puna.launch.undo import ABSENT, undone
from puna.models.durable import replace_file

__all__ = [
    "PRIVATE",
    "SHARED",
    "Change",
    "Originals",
    "apply",
    "read_file",
    "write_changes",
    "write_file",
]

BACKUPS_KEPT = 5
PRIVATE = 0o600
SHARED = 0o644


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is to hold `after`, None meaning that it is to go. `before` is what it holds,
    None where there is no file; `mode` is for a new one.
    """

    path: Path
    form: Form
    before: bytes | None
    after: bytes | None
    mode: int = SHARED


def read_file(path: Path) -> bytes | None:
    """The content of a file, None if there is none. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write_file(path: Path, data: bytes, mode: int = SHARED) -> None:
    """Replace a file in one step; a link stays one, a mode stays. Raises OSError."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == PRIVATE else 0o777)
    with contextlib.suppress(FileNotFoundError):
        mode = target.stat().st_mode & 0o7777
    replace_file(target, data, target.parent, ".tmp-", mode)


def back_up(path: Path, folder: Path, now: float) -> None:
    """Copy a file to `<folder>/<name>.<unix seconds>`; the newest five stay. Raises OSError."""
    data = read_file(path)
    if data is None:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = path.stat().st_mode & 0o777
    replace_file(folder / f"{path.name}.{int(now)}", data, folder, ".tmp-", mode)
    prefix = f"{path.name}."
    older = [
        (int(name.removeprefix(prefix)), name)
        for name in os.listdir(folder)
        if name.startswith(prefix) and name.removeprefix(prefix).isdecimal()
    ]
    for _, name in sorted(older)[:-BACKUPS_KEPT]:
        (folder / name).unlink(missing_ok=True)


def apply(change: Change, backups: Path, now: float) -> None:
    """Make a change, a copy of what was there being in the folder `backups`. Raises OSError."""
    back_up(change.path, backups, now)
    if change.after is None:
        change.path.unlink(missing_ok=True)
    else:
        write_file(change.path, change.after, change.mode)


@dataclass(slots=True)
class _Original:
    """What a file would hold without Puna, None where it would not be, and what Puna wrote last."""

    form: Form
    before: bytes | None
    after: bytes


@dataclass(slots=True)
class Originals:
    """What the files of one integration were before Puna changed them, kept in the file `path`."""

    path: Path
    files: dict[Path, _Original] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Originals:
        """Read what is kept. Raises BadRequest if that is damaged."""
        raw = read_file(path)
        if raw is None:
            return cls(path)
        try:
            rows = json.loads(raw)
            files = {
                Path(name): _Original(
                    FORMS[row["form"]], _decoded(row["before"]), _decoded(row["after"]) or b""
                )
                for name, row in rows.items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRequest(f"{path} is damaged: {MEND}") from error
        return cls(path, files)

    def note(self, change: Change) -> None:
        """Remember a change that is about to be made. Raises BadRequest for an unreadable file."""
        known = self.files.get(change.path)
        before = change.before if known is None else self.without(change.path, change.before)
        self.files[change.path] = _Original(change.form, before, change.after or b"")

    def without(self, path: Path, now: bytes | None) -> bytes | None:
        """What a file that holds `now` would hold without Puna. Raises BadRequest."""
        known = self.files[path]
        if now is None:
            return None
        if now == known.after:
            return known.before
        old, ours, theirs = (
            read_document(path, known.form, raw) for raw in (known.before, known.after, now)
        )
        root = undone(ABSENT if old.root is None else old.root, ours.root, theirs.root)
        if root is ABSENT:
            return None
        theirs.root = root
        return theirs.bytes()

    def restored(self) -> list[Change]:
        """The changes that put everything back. Raises BadRequest and OSError."""
        changes = []
        for path, one in self.files.items():
            now = read_file(path)
            changes.append(Change(path, one.form, now, self.without(path, now)))
        return changes

    def write(self) -> None:
        """Keep it, readable for the user alone."""
        rows = {
            str(path): {
                "form": one.form.name,
                "before": _encoded(one.before),
                "after": _encoded(one.after),
            }
            for path, one in self.files.items()
        }
        write_file(self.path, json.dumps(rows, indent=1).encode(), PRIVATE)


def write_changes(
    changes: Sequence[Change], backups: Path, originals: Originals, now: float
) -> None:
    """Make those changes that change something. Raises OSError, BadRequest."""
    real = [change for change in changes if change.before != change.after]
    for change in changes:
        if change in real or change.path in originals.files:
            originals.note(change)
    if originals.files:
        originals.write()  # first: what was there must be known before it is gone
    for change in real:
        apply(change, backups, now)


def _encoded(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
