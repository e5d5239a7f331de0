"""What `/api/puna/` answers, parsed as leniently as the other replies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from puna.client.fields import Json, as_object, as_text

__all__ = [
    "Fault",
    "Pruned",
    "StoreFolder",
    "Updated",
    "Verdict",
    "parse_pruned",
    "parse_store",
    "parse_updated",
    "parse_verdict",
]


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """A server's store; device and inode are those that the server sees."""

    path: Path
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """Deleted files, each with the bytes set free; `held` files are in use and stayed."""

    files: tuple[tuple[str, int], ...]
    held: int


class Fault(NamedTuple):
    """What is wrong with one file; the digest of the manifest is ""."""

    digest: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verified model and what is wrong with it."""

    model: str
    faults: tuple[Fault, ...]
    removed: bool


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of one model: digests of its manifest, or a reason."""

    status: str
    model: str
    before: str
    after: str
    reason: str


def parse_store(reply: Json) -> StoreFolder:
    """Read the answer of `/api/puna/store`."""
    path = Path(as_text(reply, "models"))
    return StoreFolder(path, _whole(reply, "device"), _whole(reply, "inode"))


def parse_pruned(reply: Json) -> Pruned:
    """Read the answer of `/api/puna/prune`."""
    files = _objects(reply, "files")
    return Pruned(
        tuple((as_text(file, "name"), _whole(file, "size")) for file in files),
        _whole(reply, "held"),
    )


def parse_verdict(line: Json) -> Verdict:
    """Read a line of `/api/puna/verify` that is about a model."""
    faults = _objects(line, "faults")
    return Verdict(
        as_text(line, "model"),
        tuple(Fault(as_text(fault, "digest"), as_text(fault, "problem")) for fault in faults),
        line.get("removed") is True,
    )


def parse_updated(line: Json) -> Updated:
    """Read a line of `/api/puna/update` that is about a model."""
    return Updated(*(as_text(line, key) for key in Updated.__slots__))


def _whole(data: Json, key: str) -> int:
    value = data.get(key)
    return value if isinstance(value, int) else 0


def _objects(data: Json, key: str) -> list[Json]:
    value = data.get(key)
    return [as_object(item) for item in value] if isinstance(value, list) else []
