"""Any bytes give a header or BadModelFile, never another exception."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from puna.errors import BadModelFile
from puna.gguf.describe import describe_header, show_metadata, show_tensors
from puna.gguf.reader import Header, read_header
from puna.gguf.values import ArrayInfo
from tests.fakes.ggufs import Array, Raw, Tensor, pack_gguf

VALID = pack_gguf(
    {
        "general.architecture": "llama",
        "general.alignment": 32,
        "general.file_type": Raw(4, 15),
        "llama.block_count": 2,
        "llama.embedding_length": Raw(10, 64),
        "llama.attention.head_count": Array(5, [4, 0]),
        "llama.rope.freq_base": 1e4,
        "llama.pooling": True,
        "tokenizer.ggml.tokens": Array(8, ["<s>", "", "ü", "token"]),
        "tokenizer.ggml.scores": Array(6, [0.0, -1.5]),
    },
    [
        Tensor("a", (4, 2), 0, bytes(32)),
        Tensor("b", (256,), 12, bytes(144)),
        Tensor("c", (), 0, bytes(4)),
    ],
)
HEADER_BYTES = len(VALID) - 32 - 160 - 4  # less the three tensors, padded
NUMBERS = st.sampled_from([0, 1, 2, 255, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1])


def try_to_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        path.write_bytes(content)
        for arrays in (False, True):
            check(header_or_words(path, arrays), arrays)


def header_or_words(path: Path, arrays: bool) -> Header | str:
    try:
        return read_header(path, arrays=arrays)
    except BadModelFile as caught:
        return str(caught)


def check(found: Header | str, arrays: bool) -> None:
    """Words are fit to be shown; of a header, everything can be asked."""
    if isinstance(found, str):
        assert found.isprintable()
        assert len(found) < 1000
        return
    description = describe_header(found)
    assert description.kv_bytes_per_token() >= 0
    assert isinstance(description.capabilities, tuple)
    shown = show_metadata(found, verbose=arrays)
    assert not any(isinstance(value, ArrayInfo | tuple) for value in shown.values())
    assert len(show_tensors(found)) == len(found.tensors)


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(VALID)
def test_arbitrary_bytes(content: bytes) -> None:
    try_to_read(content)


@settings(deadline=None)
@given(
    st.sampled_from([b"GGUF\1\0\0\0", b"GGUF\3\0\0\0", b"FUGG\0\0\0\3", b"GGUF\0\0\0\3"]),
    st.binary(max_size=200),
)
def test_arbitrary_bytes_after_a_good_start(start: bytes, content: bytes) -> None:
    try_to_read(start + content)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, HEADER_BYTES - 1), st.integers(0, 255)), max_size=4))
def test_changed_bytes(changes: list[tuple[int, int]]) -> None:
    content = bytearray(VALID)
    for position, byte in changes:
        content[position] = byte
    try_to_read(bytes(content))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, HEADER_BYTES - 8), NUMBERS, st.sampled_from([4, 8]))
def test_changed_numbers(position: int, number: int, size: int) -> None:
    content = bytearray(VALID)
    content[position : position + size] = (number % 256**size).to_bytes(size, "little")
    try_to_read(bytes(content))


def test_every_truncation_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        for size in range(len(VALID)):
            path.write_bytes(VALID[:size])
            assert isinstance(header_or_words(path, arrays=False), str), size
