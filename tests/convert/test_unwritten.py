"""Files that are worked out as they are read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NoReturn

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.unwritten import Unwritten
from puna.errors import BadModelFile, StartFailed
from puna.gguf.reader import read_header
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.translation.target import Target
from puna.runner.llama.floats import widen
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.stream import load_stream, written
from puna.runner.protocol import LoadPlan
from tests.fakes.ggufs import Tensor, make_tiny_llama, write_gguf
from tests.fakes.monoliths import read_gguf, write_copy

HALVES = struct.pack("<6e", 1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Target]:
    """A file, and one that is made of it: kept, widened, put together, in another order, zeros."""
    path = tmp_path_factory.mktemp("unwritten") / "source.gguf"
    tensors = (
        Tensor("kept", (3,), data=struct.pack("<3f", 7, 8, 9)),
        Tensor("rows", (2, 3), 1, data=HALVES),
        Tensor("halves", (2, 3), 1, data=HALVES),
        Tensor("more", (2, 1), data=struct.pack("<2f", 10, 11)),
        Tensor("grown", (1, 6), 1, data=HALVES),
        Tensor("grid", (1, 16), data=struct.pack("<16f", *range(16))),
    )
    write_gguf(path, {"general.architecture": "llama", "llama.block_count": 1}, tensors)
    draft = Draft(Source(read_header(path), path))
    draft.regroup_rows("rows", (2, 0, 1))
    draft.join("joined", ("halves", "more"))
    draft.widen("grown", addend=1)
    draft.add("nothing", (2,), "F32")
    draft.resample("grid", 1, 4, 3)
    return path, draft.finish()


def whole(path: Path, target: Target) -> bytes:
    with Unwritten(target, path, widen) as file:
        return b"".join(file.pieces())


def test_tensors_are_moved_put_together_and_widened(
    drafted: tuple[Path, Target], tmp_path: Path
) -> None:
    made = tmp_path / "made.gguf"
    made.write_bytes(whole(*drafted))
    _, weights = read_gguf(made)
    assert {name: values.tolist() for name, values in weights.items()} == {
        "kept": [7, 8, 9],
        "rows": [[5, 6], [1, 2], [3, 4]],
        "grown": [[2], [3], [4], [5], [6], [7]],
        "joined": [[1, 2], [3, 4], [5, 6], [10, 11]],
        "nothing": [0, 0],
        "grid": [[0], [1.5], [3], [6], [7.5], [9], [12], [13.5], [15]],
    }


@given(st.data())
def test_any_piece_is_that_of_the_whole(drafted: tuple[Path, Target], data: st.DataObject) -> None:
    expected = whole(*drafted)
    begin = data.draw(st.integers(0, len(expected) + 10))
    size = data.draw(st.integers(0, len(expected)))
    with Unwritten(drafted[1], drafted[0], widen) as file:
        piece = bytearray(size)
        count = file.read_into(memoryview(piece), begin)
    assert bytes(piece[:count]) == expected[begin : begin + size]
    assert not any(piece[count:])


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q6_K", "BF16", "F16", "F32"])
def test_values_are_those_of_the_type(kind: str) -> None:
    number = gguf.GGMLQuantizationType[kind]
    values = np.random.default_rng(0).normal(size=512).astype(np.float32)
    try:
        packed = gguf.quants.quantize(values, number)
    except NotImplementedError:  # the library only reads it
        packed = np.random.default_rng(0).integers(0, 60, 420, dtype=np.uint8)
    expected = gguf.quants.dequantize(packed, number).reshape(-1)
    np.testing.assert_allclose(widen(packed.tobytes(), kind), expected, rtol=1e-6)


def test_a_file_that_changes_is_an_error(tmp_path: Path) -> None:
    """Before it is opened, and while it is read."""
    path = make_tiny_llama(tmp_path / "m.gguf", more={"v.blk.0": np.zeros(4, np.float32)})
    header = read_header(path)
    target = Draft(Source(header, path)).finish()
    with Unwritten(target, path, widen) as file:
        with path.open("r+b") as other:
            other.truncate(header.file_size // 2)
        with pytest.raises(BadModelFile, match="became shorter"):
            list(file.pieces())
    with pytest.raises(BadModelFile, match="became another one"):
        Unwritten(target, path, widen)


def test_an_error_that_nobody_expected_ends_the_load(tmp_path: Path) -> None:
    """It comes amid the C library, which would go on with what it has."""
    path = make_tiny_llama(tmp_path / "m.gguf")
    draft = Draft(Source(read_header(path), path))
    draft.widen("output_norm.weight", addend=1)

    def fail(data: bytes, type_name: str) -> NoReturn:
        raise KeyError(type_name)

    with (
        Unwritten(draft.finish(), path, fail) as file,
        pytest.raises(KeyError, match="F32"),
    ):
        load_stream(file, lib.llama_model_default_params())


def test_a_text_model_that_lacks_a_tensor_is_told_by_the_engine(tmp_path: Path) -> None:
    path = make_tiny_llama(tmp_path / "m.gguf", more={"v.blk.0": np.zeros(4, np.float32)})
    keys, weights = read_gguf(path)
    del weights["blk.1.ffn_up.weight"]
    path.unlink()
    write_copy(path, keys, weights)
    LOG.attach(lambda level, line: None)
    with pytest.raises(StartFailed, match=r"tensor 'blk\.1\.ffn_up\.weight' not found"):
        Model(LoadPlan(model=str(path)), lambda fraction: None)


def test_without_files_in_memory_there_is_one_in_a_folder_meanwhile(
    drafted: tuple[Path, Target],
) -> None:
    with Unwritten(drafted[1], drafted[0], widen) as file:
        with written(file, in_memory=False) as path:
            assert Path(path).read_bytes() == whole(*drafted)
        assert not Path(path).parent.exists()


def test_cells_of_a_translated_model_are_not_those_of_the_file(tmp_path: Path) -> None:
    LOG.attach(lambda level, line: None)
    said = set()
    for more in ({}, {"v.blk.0": np.zeros(4, np.float32)}):
        plan = LoadPlan(model=str(make_tiny_llama(tmp_path / f"{len(more)}.gguf", more=more)))
        model = Model(plan, lambda fraction: None)
        said.add(model.variant(plan))
        model.close()
    assert len(said) == 2
