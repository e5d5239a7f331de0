"""The file form of one saved run of cells: a head that says what it is, and the engine's bytes.

A file holds the cells of `tokens[start:]` of a sequence, and the ids of all its tokens, for what is
in a cell depends on everything before it. Files are untrusted: sizes are checked before anything is
allocated, and nothing reaches the engine before its checksum was.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

__all__ = ["FINGERPRINT", "Damaged", "Entry", "Foreign", "encode_head", "read_head", "read_payload"]

FINGERPRINT = 32
"""Bytes of the digest that names a model and everything else its cells depend on."""

_MAGIC = b"PUNA-KV\n"
_VERSION = 1
_DIGEST = 32
_FIXED = struct.Struct(f"<8sIIIIQ{FINGERPRINT}s{_DIGEST}s")
_MAX_TOKENS = 1 << 24
_TOKEN = 4


class Foreign(Exception):
    """A file that is none of ours: another form, another model, somebody else's."""


class Damaged(Exception):
    """A file of ours whose content is not what was written."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What a file says about itself. `size` is the payload's, in bytes."""

    path: Path
    start: int
    tokens: array[int]
    size: int
    digest: bytes

    @property
    def end(self) -> int:
        """How many tokens a sequence has that ends with these cells."""
        return len(self.tokens)


def encode_head(
    fingerprint: bytes, tokens: Sequence[int], start: int, payload: memoryview
) -> bytes:
    """The head of a file, with the payload's checksum and its own."""
    ids = _little(array("i", tokens)).tobytes()
    digest = blake2b(payload, digest_size=_DIGEST).digest()
    fixed = _FIXED.pack(_MAGIC, _VERSION, len(tokens), start, 0, len(payload), fingerprint, digest)
    return fixed + blake2b(fixed + ids, digest_size=_DIGEST).digest() + ids


def read_head(path: Path, fingerprint: bytes) -> Entry:
    """What a file holds. Raises Foreign, Damaged, OSError."""
    handle = _open(path)
    try:
        return _read_head(handle, path, fingerprint)
    finally:
        os.close(handle)


def read_payload(path: Path, fingerprint: bytes) -> tuple[Entry, memoryview]:
    """A whole file, its payload checked. Raises Foreign, Damaged, OSError."""
    handle = _open(path)
    try:
        entry = _read_head(handle, path, fingerprint)
        payload = memoryview(bytearray(entry.size))
        if _read_into(handle, payload) != entry.size:
            raise Damaged("it is cut short")
    finally:
        os.close(handle)
    if blake2b(payload, digest_size=_DIGEST).digest() != entry.digest:
        raise Damaged("its checksum does not fit")
    return entry, payload


def _open(path: Path) -> int:
    """Open a plain file that nobody else could have written."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        problem = "it is not a plain file"
    elif status.st_uid != os.geteuid() or status.st_mode & 0o022:
        problem = "somebody else may have written it"
    else:
        return handle
    os.close(handle)
    raise Foreign(problem)


def _read_head(handle: int, path: Path, fingerprint: bytes) -> Entry:
    whole = os.fstat(handle).st_size
    fixed = os.read(handle, _FIXED.size)
    if len(fixed) < _FIXED.size:
        raise Damaged("it is cut short")
    magic, version, count, start, _, size, model, digest = _FIXED.unpack(fixed)
    if magic != _MAGIC:
        raise Foreign("it does not begin as a saved prefix does")
    if version != _VERSION:
        raise Foreign(f"its form has version {version}")
    if count > _MAX_TOKENS or whole != _FIXED.size + _DIGEST + _TOKEN * count + size:
        raise Damaged("it has not the length that its head states")
    rest = bytearray(_DIGEST + _TOKEN * count)
    if _read_into(handle, memoryview(rest)) != len(rest):
        raise Damaged("it is cut short")
    ids = bytes(rest[_DIGEST:])
    if blake2b(fixed + ids, digest_size=_DIGEST).digest() != rest[:_DIGEST]:
        raise Damaged("the checksum of its head does not fit")
    if model != fingerprint:
        raise Foreign("it was saved by another model or engine")
    if not (start < count and size):
        raise Damaged("it holds no cells")
    tokens = array("i")
    tokens.frombytes(ids)
    return Entry(path, start, _little(tokens), size, digest)


def _read_into(handle: int, target: memoryview) -> int:
    done = 0
    while done < len(target):
        count = os.readv(handle, [target[done : done + (1 << 28)]])
        if not count:
            break
        done += count
    return done


def _little(tokens: array[int]) -> array[int]:
    if sys.byteorder == "big":
        tokens.byteswap()
    return tokens
