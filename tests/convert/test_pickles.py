"""Files of torch's are read only when asked for, and nothing in them is ever run."""

from __future__ import annotations

import zipfile
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.conversion import Order
from puna.convert.model import convert_model
from puna.convert.pickles import read_pickled
from puna.errors import BadCheckpoint
from tests.fakes.checkpoints import llama_weights, make_checkpoint
from tests.fakes.pickled import pack_view, state_of, write_pickled, write_zip


def convert(folder: Path, target: Path, *, allow_pickle: bool = False) -> None:
    order = Order("model", str(folder), str(target), allow_pickle=allow_pickle)
    convert_model(order, lambda _done, _total: None)


def test_the_file_made_of_a_pickle_is_that_made_of_safetensors(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "hf")
    convert(folder, tmp_path / "a.gguf")
    (folder / "model.safetensors").unlink()
    weights = llama_weights()
    turned = "model.layers.0.mlp.up_proj.weight"
    weights[turned] = np.asfortranarray(weights[turned])
    write_pickled(folder / "pytorch_model.bin", weights)
    (folder / "training_args.bin").write_bytes(b"PK\3\4")
    target = tmp_path / "b.gguf"
    with pytest.raises(BadCheckpoint, match="--allow-pickle"):
        convert(folder, target)
    assert not target.exists()
    convert(folder, target, allow_pickle=True)
    assert target.read_bytes() == (tmp_path / "a.gguf").read_bytes()


EVIL = {
    "in lines": b"cos\nmkdir\n(V%b\ntR.",
    "by a name": b"\x80\x02cos\nmkdir\nX\x01\0\0\0x\x85R.",
    "by a name in parts": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c\x01x\x85R.",
    "as an instance": b"(V%b\nios\nmkdir\n.",
    "by a name inside an allowed module": b"\x80\x02ctorch\nload\nX\x01\0\0\0x\x85R.",
    "by an extension": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("program", EVIL.values(), ids=EVIL)
def test_code_is_refused_and_not_run(tmp_path: Path, program: bytes) -> None:
    mark, path = tmp_path / "x", tmp_path / "pytorch_model.bin"
    write_zip(path, program.replace(b"%b", bytes(mark)), {})
    with chdir(tmp_path), pytest.raises(BadCheckpoint, match=r"run code|no weights need"):
        read_pickled(path)
    assert not mark.exists()


ONE = pack_view("0", 4, [2, 2], [2, 1])
BAD: dict[str, tuple[bytes, str]] = {
    "a name of ours that is called otherwise": (
        b"\x80\x02ctorch._utils\n_rebuild_parameter\n)R.",
        "calls something",
    ),
    "an enormous memory": (b"\x80\x02}r\xff\xff\xff\xff.", "holds no tensors"),
    "more elements than are stored": (state_of({"a": pack_view("0", 4, [3, 2], [2, 1])}), "larger"),
    "one element many times": (state_of({"a": pack_view("0", 4, [2**20], [0])}), "larger"),
    "strides beyond the storage": (state_of({"a": pack_view("0", 4, [2, 2], [9, 1])}), "larger"),
    "a negative stride": (state_of({"a": pack_view("0", 4, [2, 2], [-2, 1])}), "whole numbers"),
    "a storage that is not there": (state_of({"a": pack_view("7", 4, [4], [1])}), "missing"),
    "a storage of another size": (state_of({"a": pack_view("0", 5, [5], [1])}), "another size"),
    "no end": (state_of({"a": ONE})[:-1], "broken|cut off"),
    "too few values": (b"\x80\x02\x87.", "broken"),
}


@pytest.mark.parametrize(("program", "problem"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused(tmp_path: Path, program: bytes, problem: str) -> None:
    write_zip(tmp_path / "a.bin", program, {"0": bytes(16)})
    with pytest.raises(BadCheckpoint, match=problem):
        read_pickled(tmp_path / "a.bin")


def test_files_that_are_not_torchs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_zip(path, state_of({"a": ONE}), {"0": bytes(16)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(BadCheckpoint, match="compressed"):
        read_pickled(path)
    path.write_bytes(b"\x80\x02}.")
    with pytest.raises(BadCheckpoint, match="save it as safetensors"):
        read_pickled(path)


@given(at=st.integers(0, 2000), byte=st.integers(0, 255), cut=st.booleans())
def test_a_broken_file_gives_tensors_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.bin"
    write_zip(path, state_of({"a": ONE, "b": ONE}), {"0": bytes(16)})
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] = byte
    path.write_bytes(raw[: at % len(raw)] if cut else raw)
    try:
        tensors = read_pickled(path)
    except BadCheckpoint:
        return
    assert all(tensor.load().nbytes <= 16 for tensor in tensors.values())
