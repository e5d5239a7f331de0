"""Model files in parts: names, places, what does not belong together, and merging."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import BadModelFile
from puna.gguf.describe import describe, describe_parts
from puna.gguf.merge import plan_merge
from puna.gguf.reader import read_header
from puna.gguf.split import PartName, Place, parse_part_name, place_of, read_joined
from tests.fakes.ggufs import Array, Raw, Tensor, Value, make_tiny_llama, pack_gguf, write_gguf
from tests.fakes.splits import make_split_llama

U8, U16, I32, U64, STRING = 0, 2, 5, 10, 8

NAMES = {
    "m-00001-of-00003.gguf": PartName("m", 1, 3),
    "a/b-Q8_0-00002-of-00002.gguf": PartName("a/b-Q8_0", 2, 2),
    "m-00000-of-00000.gguf": PartName("m", 0, 0),
    "m-1-of-3.gguf": None,
    "m-00001-of-00003.bin": None,
    "-00001-of-00003.gguf": None,
    "m.gguf": None,
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=NAMES)
def test_names_of_parts(name: str, expected: PartName | None) -> None:
    assert parse_part_name(name) == expected
    assert expected is None or str(expected) == name


def test_the_names_of_all_parts_can_be_told_from_one() -> None:
    assert PartName("m", 3, 3).siblings == [
        "m-00001-of-00003.gguf",
        "m-00002-of-00003.gguf",
        "m-00003-of-00003.gguf",
    ]
    with pytest.raises(BadModelFile, match="99999 parts are over the limit"):
        _ = PartName("m", 1, 99999).siblings


PLACES: dict[str, tuple[dict[str, Value], Place | str | None]] = {
    "whole": ({}, None),
    "one of one": ({"split.count": Raw(U16, 1), "split.no": Raw(U16, 0)}, None),
    "16 bits": ({"split.count": Raw(U16, 3), "split.no": Raw(U16, 2)}, Place(2, 3)),
    "other widths": ({"split.count": Raw(U8, 3), "split.no": Raw(U64, 0)}, Place(0, 3)),
    "under the architecture": ({"a.split.count": 3, "a.split.no": 1}, Place(1, 3)),
    "no index": ({"split.count": 3}, Place(None, 3)),
    "2^31 parts": ({"split.count": 2**31}, "split.count 2147483648 is not a number from 0 to"),
    "2^63 parts": ({"split.count": Raw(U64, 2**63)}, "is not a number from 0 to"),
    "negative": ({"split.count": Raw(I32, -1)}, "split.count -1 is not a number from 0 to"),
    "a text": ({"split.count": "3"}, "split.count str is not a number from 0 to"),
    "a list": ({"split.count": Array(4, [3])}, "split.count tuple is not a number from 0 to"),
    "true": ({"split.count": True}, "split.count True is not a number from 0 to"),
    "more than any model has": ({"split.count": 60_000}, "is over the limit of 1024"),
    "behind the last": ({"split.count": 3, "split.no": 3}, "split.no 3 in a file of 3 parts"),
}


@pytest.mark.parametrize(("pairs", "expected"), PLACES.values(), ids=PLACES)
def test_places(tmp_path: Path, pairs: dict[str, Value], expected: Place | str | None) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"general.architecture": "a", **pairs})
    if isinstance(expected, str):
        with pytest.raises(BadModelFile, match=re.escape(expected)):
            describe(path)
    else:
        assert place_of(read_header(path)) == expected


def part(index: int, count: int, *names: str, **more: Value) -> bytes:
    pairs: dict[str, Value] = {"split.no": Raw(U16, index), "split.count": Raw(U16, count)}
    if not index:
        pairs |= {"general.architecture": "a", "a.block_count": 1}
    pairs |= {key.replace("__", "."): value for key, value in more.items()}
    return pack_gguf(pairs, [Tensor(name) for name in names])


def write(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"{number}.gguf" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


FIRST, SECOND, THIRD = part(0, 3, "x"), part(1, 3, "y"), part(2, 3, "z")
MISFITS = {
    "one alone": ([FIRST], "the model has 3 parts, and 1 of them are here"),
    "the last is missing": ([FIRST, SECOND], "the model has 3 parts, and 2 of them are here"),
    "out of order": ([FIRST, THIRD, SECOND], "part 2 of 3 is missing: part 3 is in its place"),
    "the second is first": ([SECOND, FIRST, THIRD], "part 1 of 3 is missing: part 2 is"),
    "twice": ([FIRST, SECOND, SECOND], "part 3 of 3 is missing: part 2 is in its place"),
    "of another model": ([FIRST, part(1, 4, "y"), THIRD], "part 2 of 3 is missing: a file of"),
    "a whole file between": ([FIRST, pack_gguf({}), THIRD], "part 2 of 3 is missing: a file of"),
    "nothing to join": ([pack_gguf({}), FIRST], "the file is whole"),
    "no index": (
        [FIRST, pack_gguf({"split.count": 3}), THIRD],
        "part 2 of 3 is missing split.no metadata",
    ),
    "a tensor twice": ([FIRST, part(1, 3, "x"), THIRD], 'tensor "x" is in several parts'),
    "another number of tensors": (
        [part(0, 3, "x", split__tensors__count=Raw(I32, 4)), SECOND, THIRD],
        "the parts have 3 tensors, the first part says 4",
    ),
    "a damaged part": ([FIRST, SECOND[:20], THIRD], "unexpected EOF"),
}


@pytest.mark.parametrize(("contents", "expected"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_belong_together(
    tmp_path: Path, contents: list[bytes], expected: str
) -> None:
    paths = write(tmp_path, *contents)
    for work in (read_joined, describe_parts, plan_merge):
        with pytest.raises(BadModelFile, match=re.escape(expected)):
            work(paths)


def test_many_tensors_in_many_parts_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("puna.gguf.split.MAX_TENSORS", 2)
    with pytest.raises(BadModelFile, match="more than 2 tensors in the first 3 parts"):
        read_joined(write(tmp_path, FIRST, SECOND, THIRD))


def test_parts_are_described_as_one_file(tmp_path: Path) -> None:
    whole = describe(make_tiny_llama(tmp_path / "whole.gguf"))
    parts = make_split_llama(tmp_path)
    found = describe_parts(parts)
    assert found.parameter_count == whole.parameter_count
    assert (found.architecture, found.quantization) == (whole.architecture, whole.quantization)
    assert found.file_size == sum(path.stat().st_size for path in parts)
    assert (found.split_count, found.split_no) == (3, 0)


def merged(paths: Sequence[Path]) -> bytes:
    plan, out = plan_merge(paths), io.BytesIO()
    for chunk in plan.chunks():
        out.write(chunk)
    assert out.tell() == plan.size
    return out.getvalue()


def test_merged_parts_are_the_file_that_was_split(tmp_path: Path) -> None:
    whole = make_tiny_llama(tmp_path / "whole.gguf")
    assert merged(make_split_llama(tmp_path)) == whole.read_bytes()


@given(
    sizes=st.lists(st.integers(0, 9), min_size=2, max_size=12),
    cuts=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    alignment=st.sampled_from([8, 32, 64]),
)
def test_wherever_it_is_split(sizes: list[int], cuts: list[int], alignment: int) -> None:
    tensors = [
        Tensor(f"t{number}", (size,), data=bytes([number + 1]) * (4 * size))
        for number, size in enumerate(sizes)
    ]
    pairs: dict[str, Value] = {
        "general.architecture": "a",
        "general.alignment": alignment,
        "tokenizer.ggml.tokens": Array(STRING, ["x", "yy"]),
    }
    places = [0, *sorted(min(cut, len(tensors)) for cut in cuts), len(tensors)]
    runs = [tensors[start:end] for start, end in itertools.pairwise(places)]
    contents = []
    for index, run in enumerate(runs):
        own: dict[str, Value] = {"split.no": Raw(U16, index), "split.count": Raw(U16, len(runs))}
        first = {**pairs, "split.tensors.count": Raw(I32, len(tensors))}
        contents.append(
            pack_gguf({**first, **own}, run, alignment=alignment)
            if index == 0
            else pack_gguf(own, run)
        )
    with TemporaryDirectory() as folder:
        found = merged(write(Path(folder), *contents))
    expected = pack_gguf(pairs, tensors, alignment=alignment)
    assert found[: len(expected)] == expected
    assert not any(found[len(expected) :]), "only padding"


def test_a_part_that_is_shortened_while_it_is_read(tmp_path: Path) -> None:
    paths = make_split_llama(tmp_path)
    chunks = plan_merge(paths).chunks()
    next(chunks)
    paths[1].write_bytes(paths[1].read_bytes()[:-4000])
    with pytest.raises(BadModelFile, match="unexpected EOF"):
        list(chunks)


def test_parts_of_a_foreign_form_are_not_merged(tmp_path: Path) -> None:
    pairs: dict[str, Value] = {"split.no": Raw(U16, 1), "split.count": Raw(U16, 2)}
    foreign = pack_gguf(pairs, [Tensor("y")], big_endian=True)
    with pytest.raises(BadModelFile, match=r"1\.gguf cannot be joined"):
        plan_merge(write(tmp_path, part(0, 2, "x"), foreign))


PAIR = (
    part(0, 2, "x", "y", split__tensors__count=Raw(I32, 3), general__file_type=1),
    part(1, 2, "z"),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10_000), st.integers(0, 255)), max_size=5),
    st.integers(0, 60),
)
def test_changed_bytes_give_one_good_file_or_an_error(
    changes: list[tuple[int, int, int]], cut: int
) -> None:
    contents = [bytearray(content) for content in PAIR]
    for which, place, byte in changes:
        contents[which][place % len(contents[which])] = byte
    del contents[1][len(contents[1]) - max(0, cut - 50) :]
    with TemporaryDirectory() as folder:
        paths = write(Path(folder), *map(bytes, contents))
        try:
            joined, data = read_joined(paths), merged(paths)
        except BadModelFile:
            return
        (path,) = write(Path(folder), data)
        again = read_header(path)
    assert [tensor.name for tensor in again.tensors] == [tensor.name for tensor in joined.tensors]
    assert place_of(again) is None
