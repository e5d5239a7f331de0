"""The tables of the stored responses, and every statement that reads or changes them. Blocking.

Who calls is in one thread of its own (`response_store.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Kept", "StoredItem", "Tables"]

_VERSION = 1
_BUSY_SECONDS = 5.0
_MOST_SHARE = 4  # a conversation may take this part of the file's size, so that others have room

_SCHEMA = """
CREATE TABLE threads (
    id INTEGER PRIMARY KEY, client TEXT NOT NULL, used REAL NOT NULL, size INTEGER NOT NULL
);
CREATE TABLE responses (
    id TEXT PRIMARY KEY, previous TEXT, body BLOB,
    thread INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE
);
CREATE INDEX responses_by_thread ON responses (thread);
CREATE INDEX responses_by_previous ON responses (previous);
CREATE TABLE items (
    response TEXT NOT NULL REFERENCES responses ON DELETE CASCADE,
    number INTEGER NOT NULL, id TEXT NOT NULL, is_output INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (response, number)
);
CREATE INDEX items_by_id ON items (id);
"""

_CHAIN = """
WITH RECURSIVE chain (id, previous, depth) AS (
    SELECT id, previous, 0 FROM responses WHERE id = ?
    UNION ALL
    SELECT r.id, r.previous, depth + 1 FROM responses r JOIN chain ON r.id = chain.previous
)
SELECT items.id, items.body FROM chain JOIN items ON items.response = chain.id
WHERE depth > 0 OR NOT is_output OR ? ORDER BY depth DESC, number
"""

StoredItem = tuple[str, bytes]
"""An item's id and its JSON."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A response to store: its JSON, and the items that came with it and out of it."""

    id: str
    previous: str | None
    body: bytes
    inputs: Sequence[StoredItem]
    outputs: Sequence[StoredItem]

    @property
    def size(self) -> int:
        """Bytes, as they count for the limits."""
        return len(self.body) + sum(len(body) for _, body in (*self.inputs, *self.outputs))


class Tables:
    """An open file. Raises sqlite3.DatabaseError for one that is damaged or of another kind."""

    def __init__(
        self, path: Path, most_bytes: int, age_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._most_bytes = most_bytes
        self._age = age_seconds
        self._clock = clock
        self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        for setting in (
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "secure_delete = ON",
            "trusted_schema = OFF",
        ):
            self._db.execute(f"PRAGMA {setting}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {_VERSION};COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"version {version} of the tables is not known")
        elif (found := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def keep(self, client: str, kept: Kept) -> bool:
        """Store a response; false where its conversation is gone or would be too large."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._forget_old()
            thread = self._thread(client, kept)
            if thread is None:
                return False
            self._db.execute(
                "INSERT INTO responses (id, previous, body, thread) VALUES (?, ?, ?, ?)",
                (kept.id, kept.previous, kept.body, thread),
            )
            came = [(False, *each) for each in kept.inputs]
            went = [(True, *each) for each in kept.outputs]
            rows = [
                (kept.id, number, item_id, is_output, body)
                for number, (is_output, item_id, body) in enumerate(came + went)
            ]
            self._db.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", rows)
            self._make_room(thread)
        self._shrink()
        return True

    def _thread(self, client: str, kept: Kept) -> int | None:
        """The conversation that a response is put to, new if it begins one; None if it cannot be:
        it would be too large, or what the response builds on is gone.
        """
        thread, size = None, 0
        if kept.previous is not None:
            found = self._db.execute(
                "SELECT t.id, t.size FROM responses r JOIN threads t ON t.id = r.thread "
                "WHERE r.id = ?",
                (kept.previous,),
            ).fetchone()
            if found is None:
                return None
            thread, size = found
        size += kept.size
        if size > self._most_bytes // _MOST_SHARE:
            return None
        made = self._db.execute(
            "INSERT INTO threads (id, client, used, size) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET used = excluded.used, size = excluded.size "
            "RETURNING id",
            (thread, client, self._clock(), size),
        )
        return int(made.fetchone()[0])

    def _make_room(self, latest: int) -> None:
        """Whoever has most loses its oldest conversations first."""
        while True:
            (total,) = self._db.execute("SELECT coalesce(sum(size), 0) FROM threads").fetchone()
            if total <= self._most_bytes:
                return
            self._db.execute(
                "DELETE FROM threads WHERE id = (SELECT id FROM threads WHERE id != ? AND client = "
                "(SELECT client FROM threads WHERE id != ? GROUP BY client "
                "ORDER BY sum(size) DESC LIMIT 1) ORDER BY used LIMIT 1)",
                (latest, latest),
            )

    def tidy(self) -> None:
        """Remove what is too old."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._forget_old()
        self._shrink()

    def _forget_old(self) -> None:
        self._db.execute("DELETE FROM threads WHERE used < ?", (self._oldest,))

    def _shrink(self) -> None:
        """Give the room of what was removed back to the disk."""
        self._db.execute("PRAGMA incremental_vacuum").fetchall()

    @property
    def _oldest(self) -> float:
        return self._clock() - self._age

    def body(self, response: str) -> bytes | None:
        """A response's JSON."""
        found = self._db.execute(
            "SELECT body FROM responses r JOIN threads t ON t.id = r.thread "
            "WHERE r.id = ? AND t.used >= ?",
            (response, self._oldest),
        ).fetchone()
        return found[0] if found else None

    def history(self, response: str) -> list[StoredItem] | None:
        """All items up to a response's end; the conversation counts as used."""
        if self.body(response) is None:
            return None
        self._db.execute(
            "UPDATE threads SET used = ? WHERE id = (SELECT thread FROM responses WHERE id = ?)",
            (self._clock(), response),
        )
        return self._db.execute(_CHAIN, (response, True)).fetchall()

    def inputs(self, response: str) -> list[StoredItem] | None:
        """All items that a response answers."""
        if self.body(response) is None:
            return None
        return self._db.execute(_CHAIN, (response, False)).fetchall()

    def items(self, client: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Items by their ids. Ids that a client gave itself are found by that client alone."""
        found = {}
        for item_id in ids:
            row = self._db.execute(
                "SELECT i.body FROM items i JOIN responses r ON r.id = i.response "
                "JOIN threads t ON t.id = r.thread WHERE i.id = ? AND t.used >= ? "
                "AND (i.is_output OR t.client = ?) "
                "ORDER BY t.client = ? DESC, i.rowid DESC LIMIT 1",
                (item_id, self._oldest, client, client),
            ).fetchone()
            if row is not None:
                found[item_id] = bytes(row[0])
        return found

    def delete(self, response: str) -> bool | None:
        """Forget a response. While others build on it, its items stay with them."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if self.body(response) is None:
                return None
            thread = self._db.execute(
                "SELECT thread FROM responses WHERE id = ?", (response,)
            ).fetchone()[0]
            self._db.execute("UPDATE responses SET body = NULL WHERE id = ?", (response,))
            while self._db.execute(
                "DELETE FROM responses WHERE thread = ? AND body IS NULL AND NOT EXISTS "
                "(SELECT 1 FROM responses later WHERE later.previous = responses.id)",
                (thread,),
            ).rowcount:
                pass  # what only held that one may be free now
            self._db.execute(
                "UPDATE threads SET size = (SELECT coalesce(sum(length(body)), 0) FROM responses "
                "WHERE thread = threads.id) + (SELECT coalesce(sum(length(i.body)), 0) "
                "FROM items i JOIN responses r ON r.id = i.response WHERE r.thread = threads.id) "
                "WHERE id = ?",
                (thread,),
            )
            self._db.execute(
                "DELETE FROM threads WHERE id = ? AND NOT EXISTS "
                "(SELECT 1 FROM responses WHERE thread = threads.id)",
                (thread,),
            )
        self._shrink()
        return True
