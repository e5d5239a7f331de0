"""Headers of safetensors files, those of strangers among them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.safetensors import LFS_POINTER, read_places
from puna.errors import BadCheckpoint


def write(path: Path, header: Any, data: bytes = b"") -> Path:
    """A file with this header, as JSON unless it is bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def entry(**changes: Any) -> dict[str, Any]:
    """A tensor of six bytes, but for what is changed."""
    return {"dtype": "F16", "shape": [3, 1], "data_offsets": [0, 6]} | changes


def test_places_are_told_in_the_order_of_the_data(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": entry(data_offsets=[6, 12]),
        "a": entry(),
    }
    first, second = read_places(write(tmp_path / "a.safetensors", header, bytes(12)))
    assert (first.name, first.kind, first.shape) == ("a", "F16", (3, 1))
    assert second.name == "b"
    assert second.end - second.begin == 6
    assert second.end == (tmp_path / "a.safetensors").stat().st_size


BROKEN: dict[str, tuple[Any, str]] = {
    "a header that is no JSON": (b"{", "not JSON"),
    "a header that is no object": ([], "not an object"),
    "nesting without end": (b"[" * 200_000, "not JSON"),
    "the same name twice": (b'{"a": {}, "a": {}}', "twice"),
    "a tensor that is no object": ({"a": 3}, "not an object"),
    "an unknown type": ({"a": entry(dtype="F7")}, "unknown data type: F7"),
    "a type of ours": ({"a": entry(dtype="MXFP4")}, "unknown data type"),
    "a negative dimension": ({"a": entry(shape=[-3, -1])}, "whole numbers"),
    "a dimension that is true": ({"a": entry(shape=[3, True])}, "whole numbers"),
    "an enormous shape": ({"a": entry(shape=[2**62, 2**62])}, "over the limit"),
    "too many dimensions": ({"a": entry(shape=[1] * 9)}, "short list"),
    "one offset": ({"a": entry(data_offsets=[0])}, "two whole numbers"),
    "another size than the shape's": ({"a": entry(data_offsets=[0, 5])}, "does not take 5"),
    "an end before the beginning": ({"a": entry(data_offsets=[6, 0])}, "does not take -6"),
    "data behind the file's end": ({"a": entry(data_offsets=[60, 66])}, "is cut off"),
    "one over the other": ({"a": entry(), "b": entry(data_offsets=[2, 8])}, "overlaps"),
    "a name without end": ({"a" * 2000: entry()}, "1 to 1024"),
}


@pytest.mark.parametrize(("header", "problem"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_is_refused(tmp_path: Path, header: Any, problem: str) -> None:
    path = write(tmp_path / "a.safetensors", header, bytes(12))
    with pytest.raises(BadCheckpoint, match=problem) as caught:
        read_places(path)
    assert "a.safetensors" in str(caught.value)


STARTS = {
    "nothing": b"",
    "half a length": b"\x01\x00",
    "a length beyond the file": struct.pack("<Q", 1 << 40) + b"{}",
}


@pytest.mark.parametrize("raw", STARTS.values(), ids=STARTS)
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw)
    with pytest.raises(BadCheckpoint, match="cut off"):
        read_places(path)


def test_a_pointer_instead_of_the_file_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(LFS_POINTER + b"v1\noid sha256:00\nsize 12\n")
    with pytest.raises(BadCheckpoint, match="git lfs pull"):
        read_places(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "a"]) | st.text(max_size=4), inner
        )
    ),
    max_leaves=12,
)


@given(header=values | st.binary(max_size=64), data=st.binary(max_size=32))
def test_any_bytes_give_places_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, header: Any, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.safetensors"
    write(path, header, data)
    try:
        places = read_places(path)
    except BadCheckpoint:
        return
    size = path.stat().st_size
    assert all(8 <= place.begin <= place.end <= size for place in places)
