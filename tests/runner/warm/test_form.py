"""Files of saved cells: what was written is read, anything else is named and never read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.runner.warm.form import (
    FINGERPRINT,
    Damaged,
    Foreign,
    encode_head,
    read_head,
    read_payload,
)

MODEL = bytes(range(FINGERPRINT))
TOKENS = [1, 70_000, 5, 0, 9]
PAYLOAD = bytes(range(256)) * 3
GOOD = encode_head(MODEL, TOKENS, 2, memoryview(PAYLOAD)) + PAYLOAD
VERSION_AT, TOKENS_AT = 8, 12


def write(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "saved.kv"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@given(
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=50), st.binary(min_size=1, max_size=99)
)
@settings(deadline=None)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[int], payload: bytes
) -> None:
    start = len(tokens) // 2
    head = encode_head(MODEL, tokens, start, memoryview(payload))
    path = write(tmp_path_factory.getbasetemp(), head + payload)
    entry, read = read_payload(path, MODEL)
    assert (list(entry.tokens), entry.start, entry.size) == (tokens, start, len(payload))
    assert bytes(read) == payload
    assert read_head(path, MODEL).digest == entry.digest


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) * 8 - 1))
def test_no_bit_can_change_unnoticed(tmp_path_factory: pytest.TempPathFactory, at: int) -> None:
    damaged = bytearray(GOOD)
    damaged[at // 8] ^= 1 << at % 8
    path = write(tmp_path_factory.getbasetemp(), bytes(damaged))
    with pytest.raises((Damaged, Foreign)):
        read_payload(path, MODEL)


def test_no_byte_of_the_head_can_change_unnoticed(tmp_path: Path) -> None:
    """Whoever reads heads alone must not believe them."""
    for at in range(len(GOOD) - len(PAYLOAD)):
        for bit in (1, 0x80):
            path = write(tmp_path, changed(at, bytes([GOOD[at] ^ bit])))
            with pytest.raises((Damaged, Foreign)):
                read_head(path, MODEL)


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, len(GOOD) - 1))
def test_no_byte_can_be_missing(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = write(tmp_path_factory.getbasetemp(), GOOD[:length])
    for read in (read_head, read_payload):
        with pytest.raises(Damaged):
            read(path, MODEL)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_give_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    with pytest.raises((Damaged, Foreign)):
        read_head(write(tmp_path_factory.getbasetemp(), content), MODEL)


def changed(at: int, data: bytes) -> bytes:
    return GOOD[:at] + data + GOOD[at + len(data) :]


FAULTS: dict[str, tuple[bytes, bytes, type[Exception], str]] = {
    "another model": (GOOD, bytes(FINGERPRINT), Foreign, "another model"),
    "another form": (b"GGUF" + GOOD[4:], MODEL, Foreign, "does not begin"),
    "a later version": (changed(VERSION_AT, b"\2"), MODEL, Foreign, "version 2"),
    "a count beyond the file": (changed(TOKENS_AT, b"\xff" * 4), MODEL, Damaged, "length"),
    "something after the end": (GOOD + b"\0", MODEL, Damaged, "length"),
    "other tokens": (GOOD.replace(b"\5\0\0\0", b"\6\0\0\0"), MODEL, Damaged, "head"),
    "no tokens": (encode_head(MODEL, [1], 1, memoryview(b"x")) + b"x", MODEL, Damaged, "no cells"),
    "no bytes": (encode_head(MODEL, [1], 0, memoryview(b"")), MODEL, Damaged, "no cells"),
}


@pytest.mark.parametrize(("content", "model", "kind", "words"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named(
    tmp_path: Path, content: bytes, model: bytes, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        read_head(write(tmp_path, content), model)


def test_who_could_have_written_it(tmp_path: Path) -> None:
    with pytest.raises(Foreign, match="somebody else"):
        read_head(write(tmp_path, GOOD, 0o660), MODEL)


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.kv", 0o600)
    with pytest.raises(Foreign, match="plain"):
        read_head(tmp_path / "pipe.kv", MODEL)
    (tmp_path / "link.kv").symlink_to(write(tmp_path, GOOD))
    with pytest.raises(OSError, match="symbolic"):
        read_head(tmp_path / "link.kv", MODEL)
