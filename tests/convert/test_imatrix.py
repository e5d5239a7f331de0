"""Importance matrices: both forms, what is no matrix, and what is one of another model."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from puna.convert.imatrix import MAX_BYTES, check_fits, read_matrix
from puna.errors import QuantError
from puna.gguf.tensors import TensorInfo
from tests.fakes.ggufs import Tensor, pack_gguf
from tests.fakes.matrices import pack_gguf_matrix, pack_old_matrix


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "m"
    path.write_bytes(data)
    return path


def test_the_newer_form_is_the_mean_of_each_expert(tmp_path: Path) -> None:
    """An expert that was never asked has no mean: its columns are alike."""
    sums = {"blk.0.ffn_up_exps.weight": [2, 4, 9, 9], "output.weight": [3, 6]}
    counts = {"blk.0.ffn_up_exps.weight": [2, 0], "output.weight": [3]}
    matrix = read_matrix(write(tmp_path, pack_gguf_matrix(sums, counts, "wiki.txt", 7)))
    assert {name: values.tolist() for name, values in matrix.entries.items()} == {
        "blk.0.ffn_up_exps.weight": [1, 2, 1, 1],
        "output.weight": [1, 2],
    }
    assert (matrix.dataset, matrix.chunks) == ("wiki.txt", 7)


@pytest.mark.parametrize(
    ("calls", "expected"), {2: [0.5, 1.0], 0: [1.0, 2.0]}.items(), ids=["calls", "none"]
)
def test_the_older_form(tmp_path: Path, calls: int, expected: list[float]) -> None:
    raw = pack_old_matrix({"a": [1, 2], "b": [4, 4]}, calls)
    matrix = read_matrix(write(tmp_path, raw))
    assert matrix.entries["a"].tolist() == expected
    assert (matrix.dataset, matrix.chunks, len(matrix.entries)) == ("wiki", 5, 2)
    bare = read_matrix(write(tmp_path, pack_old_matrix({"a": [1]}, dataset=None)))
    assert (bare.dataset, bare.chunks) == ("", 0)


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is cut off"),
    "text": (b"hello, I am no matrix", "it does not begin as one"),
    "no entries": (struct.pack("<i", 0), "it does not begin as one"),
    "more entries than a file may have": (
        struct.pack("<i", 1 << 18),
        "it does not begin as one",
    ),
    "a name without end": (struct.pack("<ii", 1, 1 << 30), "it has a text of 1073741824 bytes"),
    "a name that is cut off": (struct.pack("<ii", 1, 9) + b"abc", "it is cut off"),
    "fewer values than it says": (
        struct.pack("<ii", 1, 1) + b"a" + struct.pack("<ii", 1, 1 << 30),
        "it ends within a",
    ),
    "fewer than none": (
        struct.pack("<ii", 1, 1) + b"a" + struct.pack("<ii", 1, -1),
        "it ends within a",
    ),
    "no numbers": (pack_old_matrix({"a": [float("nan")]}), "a has values that are no mean"),
    "a signal instead of a number": (
        pack_old_matrix({"a": [1]}, dataset=None)[:-4] + b"\x01\x00\x80\x7f",
        "a has values that are no mean",
    ),
    "endless ones": (pack_old_matrix({"a": [float("inf")]}), "a has values that are no mean"),
    "a mean beyond what there are numbers for": (
        pack_gguf_matrix({"a": [1e30]}, {"a": [1e-30]}),
        "a has values that are no mean",
    ),
    "squares below 0": (pack_old_matrix({"a": [-1]}), "a has values that are no mean"),
    "a model": (pack_gguf({"general.architecture": "llama"}), "GGUF file of another kind"),
    "big-endian": (
        pack_gguf({"general.type": "imatrix"}, big_endian=True),
        "its numbers are big-endian",
    ),
    "a GGUF without entries": (pack_gguf_matrix({}, {}), "it is empty"),
    "sums without counts": (pack_gguf_matrix({"a": [1]}, {}), "a has no counts"),
    "counts that do not divide": (
        pack_gguf(
            {"general.type": "imatrix"},
            [
                Tensor("a.in_sum2", (4,), 0, bytes(16)),
                Tensor("a.counts", (3,), 0, bytes(12)),
            ],
        ),
        "a has 4 sums for 3 counts",
    ),
    "another type": (
        pack_gguf(
            {"general.type": "imatrix"},
            [
                Tensor("a.in_sum2", (4,), 1, bytes(8)),
                Tensor("a.counts", (1,), 0, bytes(4)),
            ],
        ),
        "a.in_sum2 is of type F16",
    ),
    "a GGUF that is damaged": (pack_gguf_matrix({"a": [1]}, {"a": [1]})[:40], "invalid GGUF"),
}


@pytest.mark.parametrize(("raw", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_matrix(tmp_path: Path, raw: bytes, text: str) -> None:
    with pytest.raises(QuantError, match=f"^m is no importance matrix that can be used: .*{text}"):
        read_matrix(write(tmp_path, raw))


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, struct.pack("<i", 1))
    with path.open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(QuantError, match="it is larger than"):
        read_matrix(path)


def tensor(name: str, *shape: int) -> TensorInfo:
    return TensorInfo(name, shape, 0, "F32", 0, 0, 0)


def test_a_matrix_must_be_of_the_model(tmp_path: Path) -> None:
    raw = pack_old_matrix({"a": [1] * 8, "token_embd.weight": [1] * 3, "more": [1]})
    matrix = read_matrix(write(tmp_path, raw))
    check_fits(matrix, [tensor("a", 4, 7, 2), tensor("token_embd.weight", 4, 9)])
    with pytest.raises(QuantError, match="it has 8 values for a, which has 4 columns"):
        check_fits(matrix, [tensor("a", 4, 7)])
    with pytest.raises(QuantError, match="no tensor of it is in this one"):
        check_fits(matrix, [tensor("b", 4, 7)])
