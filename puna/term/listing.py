"""The tables of `list` and `ps`. Facts: CLI spec, section 1.10."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from puna.client.replies import LoadedRow, ModelRow
from puna.fmt import human_bytes, human_time
from puna.term.table import make_table

__all__ = ["loaded_table", "models_table", "with_prefix"]

ID_LENGTH = 12


def models_table(rows: Iterable[ModelRow], prefix: str, now: datetime) -> str:
    """The models whose names start with `prefix`, in any case of letters."""
    cells = [
        [
            row.name,
            row.digest[:ID_LENGTH],
            "-" if row.remote else human_bytes(row.size),
            human_time(row.modified_at, now, "Never"),
        ]
        for row in with_prefix(rows, prefix)
    ]
    return make_table(cells, ["NAME", "ID", "SIZE", "MODIFIED"])


def with_prefix(rows: Iterable[ModelRow], prefix: str) -> list[ModelRow]:
    """The models whose names start with `prefix`, in any case of letters."""
    return [row for row in rows if row.name.lower().startswith(prefix.lower())]


def loaded_table(rows: Iterable[LoadedRow], prefix: str, now: datetime) -> str:
    """The loaded models whose names start with exactly `prefix`."""
    cells = [
        [
            row.name,
            row.digest[:ID_LENGTH],
            human_bytes(row.size),
            processor(row.size, row.size_vram),
            str(row.context_length),
            until(row.expires_at, now),
        ]
        for row in rows
        if row.name.startswith(prefix)
    ]
    return make_table(cells, ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"])


def processor(size: int, size_vram: int) -> str:
    """How a model of `size` bytes is shared between processor and graphics card."""
    if size_vram == 0:
        return "100% CPU"
    if size_vram == size:
        return "100% GPU"
    if size_vram > size or size == 0:
        return "Unknown"
    share = math.floor((size - size_vram) / size * 100 + 0.5)
    return f"{share}%/{100 - share}% CPU/GPU"


def until(moment: datetime | None, now: datetime) -> str:
    """When a model will be unloaded."""
    if moment is not None and moment < now:
        return "Stopping..."
    return human_time(moment, now, "Never")
