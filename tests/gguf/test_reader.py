"""Good files in all dialects, and the limits."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from puna.errors import BadModelFile
from puna.gguf.reader import Header, is_gguf, read_header
from puna.gguf.types import ValueType
from puna.gguf.values import ArrayInfo, Value
from tests.fakes.fixtures import stories_gguf
from tests.fakes.ggufs import Array, Raw, Tensor, make_tiny_llama, pack_gguf, write_gguf
from tests.fakes.ggufs import Value as Packed

TEST: dict[str, Packed] = {"general.architecture": "test"}
MIB = 1 << 20


def read(path: Path, content: bytes, *, arrays: bool = False) -> Header:
    path.write_bytes(content)
    return read_header(path, arrays=arrays)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_the_smallest_file_is_the_golden_one(path: Path) -> None:
    content = write_gguf(path, TEST).read_bytes()
    digest = "89a2116c3a82d6a97f59f748d86ed4417214353fd178ee54df418fde32495fad"
    assert (len(content), hashlib.sha256(content).hexdigest()) == (68, digest)
    header = read_header(path)
    assert (header.version, header.byte_order, header.tensors) == (3, "little", ())
    assert dict(header.metadata) == TEST
    assert header.file_size == 68


SCALARS: dict[str, tuple[Packed, Value]] = {
    "u8": (Raw(0, 255), 255),
    "i8": (Raw(1, -128), -128),
    "u16": (Raw(2, 65535), 65535),
    "i16": (Raw(3, -2), -2),
    "u32": (Raw(4, 2**32 - 1), 2**32 - 1),
    "i32": (Raw(5, -5), -5),
    "f32": (Raw(6, 1e-5), 1e-5),
    "bool": (Raw(7, True), True),
    "string": ("grüß", "grüß"),
    "empty string": ("", ""),
    "bytes that are no UTF-8": (Raw(8, b"a\xffb"), "a\ufffdb"),
    "u64": (Raw(10, 2**64 - 1), 2**64 - 1),
    "i64": (Raw(11, -(2**63)), -(2**63)),
    "f64": (Raw(12, 0.1), 0.1),
    "numbers": (Array(5, [1, -2, 3]), (1, -2, 3)),
    "floats": (Array(6, [0.1, 2.5]), (0.1, 2.5)),
    "strings": (Array(8, ["a", "", "ccc"]), ("a", "", "ccc")),
    "empty list": (Array(8, []), ()),
}


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("version", [1, 2, 3, 7])
@pytest.mark.parametrize(("packed", "value"), SCALARS.values(), ids=SCALARS)
def test_values(path: Path, packed: Packed, value: Value, version: int, big_endian: bool) -> None:
    pairs = {"test.x": packed, **TEST}
    content = pack_gguf(pairs, [Tensor("t")], version=version, big_endian=big_endian)
    header = read(path, content, arrays=True)
    assert dict(header.metadata) == {"test.x": value, **TEST}
    assert type(header.metadata["test.x"]) is type(value)
    assert header.version == version
    assert header.byte_order == ("big" if big_endian else "little")
    assert [t.name for t in header.tensors] == ["t"]


def test_big_endian_is_seen_from_the_version_too(path: Path) -> None:
    header = read(path, pack_gguf(TEST, big_endian=True, magic=b"GGUF"))
    assert (header.version, header.byte_order) == (3, "big")
    assert dict(header.metadata) == TEST


def test_without_arrays_only_small_numeric_ones_are_kept(path: Path) -> None:
    pairs: dict[str, Packed] = {
        "heads": Array(5, [8, 0, 8]),
        "tokens": Array(8, ["a"] * 5),
        "scores": Array(6, [0.5] * 4097),
        "after": "still here",
    }
    header = read(path, pack_gguf(pairs))
    assert dict(header.metadata) == {
        "heads": (8, 0, 8),
        "tokens": ArrayInfo(ValueType.STRING, 5),
        "scores": ArrayInfo(ValueType.F32, 4097),
        "after": "still here",
    }


@pytest.mark.parametrize("arrays", [False, True])
def test_string_arrays_longer_than_the_reading_window(path: Path, arrays: bool) -> None:
    # lengths that put string borders, and the lengths themselves, across the borders of the window
    texts = ["x" * (n * 7919 % 70_000) for n in range(101)] + ["y" * (5 * MIB), "z"]
    header = read(path, pack_gguf({"t": Array(8, texts), "after": 7}), arrays=arrays)
    assert header.metadata["after"] == 7
    expected = tuple(texts) if arrays else ArrayInfo(ValueType.STRING, len(texts))
    assert header.metadata["t"] == expected


def test_tensors_follow_the_alignment(path: Path) -> None:
    """G2 of the models spec: nine tensors of 24 bytes, alignment 16, 32 bytes apart."""
    tensors = [Tensor(f"blk.{n}.w", (2, 3), 0, bytes(24)) for n in range(9)]
    pairs = {**TEST, "general.alignment": 16}
    header = read(path, pack_gguf(pairs, tensors, alignment=16))
    assert [t.offset for t in header.tensors] == list(range(0, 257, 32))
    assert header.data_offset % 16 == 0
    assert header.data_offset + 256 + 24 == header.file_size
    first = header.tensors[0]
    assert (first.shape, first.type_name, first.n_elements, first.n_bytes) == ((2, 3), "F32", 6, 24)


def test_blocks_are_counted(path: Path) -> None:
    header = read(path, pack_gguf(TEST, [Tensor("q", (512, 2), 12, bytes(576))]))
    assert (header.tensors[0].type_name, header.tensors[0].n_bytes) == ("Q4_K", 4 * 144)


def test_a_scalar_tensor_and_an_empty_one(path: Path) -> None:
    header = read(path, pack_gguf(TEST, [Tensor("s", (), 0, bytes(4)), Tensor("e", (0,), 0, b"")]))
    assert [t.n_bytes for t in header.tensors] == [4, 0]


LYING: dict[str, tuple[str, bytes]] = {
    "empty": ("invalid file magic", b""),
    "text": ("invalid file magic", b"hello, world"),
    "ggml": ("invalid file magic: the ggml format", b"lmgg" + bytes(64)),
    "ggjt": ("invalid file magic: the ggjt format", b"tjgg" + bytes(64)),
    "magic only": ("unexpected EOF", b"GGUF"),
    "version 0": ("version 0", pack_gguf(TEST, version=0)),
    "too many keys": ("65537 metadata keys are over the limit", pack_gguf(TEST, n_kv=65537)),
    "more keys than bytes": ("no room for 9 metadata keys", pack_gguf(TEST, n_kv=9)),
    "one key more": ("unexpected EOF", pack_gguf(TEST, n_kv=2)),
    "endless keys": ("over the limit", pack_gguf(TEST, n_kv=2**64 - 1)),
    "too many tensors": ("tensors are over the limit", pack_gguf(TEST, n_tensors=2**63)),
    "more tensors than bytes": ("no room for 5 tensors", pack_gguf(TEST, n_tensors=5)),
    "long key": ("string length 65536", pack_gguf({"k" * 65536: 1})),
    "long string": ("string length 16777217", pack_gguf({"k": "x" * (16 * MIB + 1)})),
    "long array": ("array size 67108865", pack_gguf({"k": Array(0, [1], 64 * MIB + 1)})),
    "array without bytes": ("array size 9 exceeds file size", pack_gguf({"k": Array(10, [1], 9)})),
    "strings without bytes": (
        'key "k": unexpected EOF',
        pack_gguf({"k": Array(8, ["abcdefg"], 2)}),
    ),
    "string past the end": ("unexpected EOF", pack_gguf({"k": Raw(8, "x")})[:-1]),
    "nested array": ("nested arrays", pack_gguf({"k": Array(9, [])})),
    "unknown type": ("unknown value type 13", pack_gguf({"k": Array(13, [])})),
    "duplicate key": ('key "k": duplicate', pack_gguf([("k", 1), ("k", 2)])),
    "alignment 0": ("invalid GGUF alignment: 0", pack_gguf({"general.alignment": 0})),
    "alignment 24": ("invalid GGUF alignment: 24", pack_gguf({"general.alignment": 24})),
    "alignment as u64": (
        "invalid GGUF alignment: a U64",
        pack_gguf({"general.alignment": Raw(10, 32)}),
    ),
    "5 dimensions": ('tensor "t": 5 dimensions', pack_gguf(TEST, [Tensor("t", (1,) * 5)])),
    "elements overflow": ("elements overflow", pack_gguf(TEST, [Tensor("t", (2**32, 2**31))])),
    "size overflow": ("size overflow", pack_gguf(TEST, [Tensor("t", (2**31, 2**31))])),
    "no such type": ("unknown tensor type 4", pack_gguf(TEST, [Tensor("t", (32,), 4)])),
    "part of a block": ("31 elements a row", pack_gguf(TEST, [Tensor("t", (31,), 2, bytes(18))])),
    "past the end": (
        'tensor "t": its end at 148 exceeds file size 144',
        pack_gguf(TEST, [Tensor("t", (5,))]),
    ),
    "far away": ("exceeds file size", pack_gguf(TEST, [Tensor("t", offset=2**64 - 32)])),
    "crooked": ("offset 8 is not a multiple of 32", pack_gguf(TEST, [Tensor("t", offset=8)])),
    "overlapping": (
        'tensor "b": overlaps tensor "a"',
        pack_gguf(TEST, [Tensor("a", (9,), 0, bytes(64)), Tensor("b", (1,), 0, bytes(4), 32)]),
    ),
    "twice": ('tensor "t": duplicate', pack_gguf(TEST, [Tensor("t"), Tensor("t")])),
    "old string without NUL": (
        "string length 0",
        struct.pack("<4sIIIQ", b"GGUF", 1, 0, 1, 0) + bytes(20),
    ),
}


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize(("words", "content"), LYING.values(), ids=LYING)
def test_bad_files_are_named(path: Path, words: str, content: bytes, arrays: bool) -> None:
    path.write_bytes(content)
    with pytest.raises(BadModelFile) as caught:
        read_header(path, arrays=arrays)
    assert words in str(caught.value)


def test_a_skipped_string_may_not_be_too_long_either(path: Path) -> None:
    content = pack_gguf({"k": Array(8, ["a", "x" * (16 * MIB + 1), "b"])})
    path.write_bytes(content)
    with pytest.raises(BadModelFile, match="string length 16777217"):
        read_header(path)


def test_a_gap_between_tensors_is_allowed(path: Path) -> None:
    tensors = [Tensor("b", data=bytes(96), offset=64), Tensor("a", data=b"", offset=0)]
    assert len(read(path, pack_gguf(TEST, tensors)).tensors) == 2


def test_kept_metadata_is_bounded(path: Path) -> None:
    """5 million numbers are 20 MB in the file, and too many objects; passing over them is fine."""
    content = pack_gguf({"k": Array(0, [], 0)})
    content = content[:-8] + struct.pack("<Q", 5_000_000) + bytes(5_000_000)
    assert read(path, content).metadata["k"] == ArrayInfo(ValueType.U8, 5_000_000)
    with pytest.raises(BadModelFile, match="over the limit"):
        read_header(path, arrays=True)


def test_what_is_read_is_bounded(path: Path) -> None:
    """A sparse file of one array, whose strings each need another piece of the file."""
    head = pack_gguf({"k": Array(8, [], 200)})
    with path.open("wb") as file:
        file.write(head)
        for _ in range(200):
            file.write(struct.pack("<Q", MIB))
            file.seek(MIB, 1)
        file.truncate()
    with pytest.raises(BadModelFile, match="header is over the limit"):
        read_header(path)


def test_tensor_data_is_never_read(path: Path) -> None:
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("this system does not count the bytes a process reads")
    size = 2 << 30
    content = pack_gguf(TEST, [Tensor("t", (size // 4,), 0, b"")])
    with path.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + size)
    before = _bytes_read(counters)
    header = read_header(path)
    assert header.tensors[0].n_bytes == size
    assert _bytes_read(counters) - before < 2 * MIB


def _bytes_read(counters: Path) -> int:
    return int(counters.read_text().split()[1])


def test_what_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile):
        read_header(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_header(tmp_path / "missing.gguf")


def test_is_gguf(path: Path) -> None:
    assert is_gguf(b"GGUF\x03\0\0\0")
    assert is_gguf(b"FUGG")
    assert not is_gguf(b"GGU")
    assert is_gguf(write_gguf(path, TEST))
    path.write_bytes(b"PK\3\4")
    assert not is_gguf(path)


def test_the_trained_model() -> None:
    header = read_header(stories_gguf(), arrays=True)
    assert header.metadata["llama.block_count"] == 5
    tokens = header.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, tuple)
    assert (len(tokens), tokens[1]) == (512, "<s>")
    assert len(header.tensors) == 47


def test_the_tiny_model_is_valid_and_the_same_each_time(tmp_path: Path) -> None:
    one = make_tiny_llama(tmp_path / "a.gguf", seed=3)
    two = make_tiny_llama(tmp_path / "b.gguf", seed=3)
    other = make_tiny_llama(tmp_path / "c.gguf", seed=4)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()
    assert one.stat().st_size < MIB
    assert len(read_header(one).tensors) == 21
