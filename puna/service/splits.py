"""Model files that come in parts: put together again for a model that is made of them.

Facts: models spec, section 15.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from puna.api.events import Progress
from puna.errors import BadRequest, quoted
from puna.gguf.describe import Description
from puna.gguf.merge import COPY_BYTES, Merge
from puna.gguf.split import PartName, parse_part_name
from puna.models.digest import Digest
from puna.models.durable import naming_full_disk

__all__ = ["NO_DIGEST", "Given", "group_parts", "is_stored", "merge_steps"]

NO_DIGEST = "0" * 19
"""What the reference puts where the digest is not known before the end."""

_BLOB_NAME = re.compile(r"(?:.*/)?sha256[-:][0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Given:
    """A GGUF file of a request: its name there, its blob, what it is and what it is to become."""

    file_name: str
    digest: Digest
    description: Description
    media_type: str


def is_stored(file_name: str) -> bool:
    """Whether the name is a blob's: the file is of a store, where parts bear no other names."""
    return _BLOB_NAME.fullmatch(file_name) is not None


def group_parts(files: Iterable[Given]) -> list[list[Given]]:
    """The files model by model: whole ones alone, those in parts together and in order.

    Raises BadRequest for a part whose name and metadata disagree, and for missing parts.
    """
    groups: dict[tuple[str, str, int], list[tuple[int, Given]]] = {}
    for file in files:
        if file.description.split_count < 2:
            groups[file.media_type, file.file_name, 0] = [(1, file)]
            continue
        name = _part_name(file)
        groups.setdefault((file.media_type, name.prefix, name.count), []).append(
            (name.number, file)
        )
    return [_in_order(group, count) for (_, _, count), group in groups.items()]


def _part_name(file: Given) -> PartName:
    index, count = file.description.split_no, file.description.split_count
    subject = f"split GGUF {quoted(file.file_name)}"
    if index is not None and is_stored(file.file_name):
        return PartName("", index + 1, count)
    name = parse_part_name(file.file_name)
    if name is None:
        raise BadRequest(f"{subject} must use llama.cpp split filename pattern")
    if name.count != count:
        raise BadRequest(
            f"{subject} filename count {name.count} does not match metadata count {count}"
        )
    if index is None:
        raise BadRequest(f"{subject} is missing split.no metadata")
    if name.number != index + 1:
        raise BadRequest(
            f"{subject} filename index {name.number} does not match metadata index {index + 1}"
        )
    return name


def _in_order(group: list[tuple[int, Given]], count: int) -> list[Given]:
    group.sort(key=lambda part: part[0])
    if not count:
        return [file for _, file in group]
    numbers = [number for number, _ in group]
    for before, after in pairwise(numbers):
        if before == after:
            raise BadRequest(f"split GGUF has duplicate shard index {after}")
    if len(numbers) != count:
        first = group[0][1].file_name
        raise BadRequest(
            f"split GGUF {quoted(first)} has {len(numbers)} shards, expected {count}: "
            f"{_missing(first, set(numbers), count)} is missing"
        )
    return [file for _, file in group]


def _missing(first: str, numbers: set[int], count: int) -> str:
    number = next(each for each in range(1, count + 1) if each not in numbers)
    name = parse_part_name(first)
    return str(PartName(name.prefix, number, count)) if name else f"shard {number}"


def merge_steps(
    merge: Merge, write: Callable[[bytes], object], folder: Path
) -> Generator[Progress, None, None]:
    """Write the file that parts make, into `folder`. Raises BadModelFile, StoreFull."""
    done = 0
    for piece in _gathered(merge.chunks()):
        yield Progress(
            status="merging GGUF parts", digest=NO_DIGEST, total=merge.size, completed=done
        )
        with naming_full_disk(folder):
            write(piece)
        done += len(piece)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of a size that is worth an event."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= COPY_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
