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
from tests.fakes.pickled import pack_old, pack_view, state_of, write_pickled, write_zip


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


def test_a_file_older_than_torch_1_6_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    first, second = (np.arange(n, dtype=np.float32) for n in (6, 4))
    views = {"turned": pack_view("y", 6, [3, 2], [1, 3]), "plain": pack_view("x", 4, [4], [1])}
    path.write_bytes(pack_old(state_of(views), {"x": second.tobytes(), "y": first.tobytes()}))
    tensors = read_pickled(path)
    assert np.array_equal(tensors["turned"].load(), first.reshape(2, 3).T)
    assert np.array_equal(tensors["plain"].load(), second)


OLD = state_of({"a": ONE})
BAD_OLD: dict[str, tuple[bytes, str]] = {
    "numbers of another order": (pack_old(OLD, {"0": bytes(16)}, little=False), "big-endian"),
    "a storage that is cut off": (pack_old(OLD, {"0": bytes(16)})[:-1], "cut off"),
    "no storages": (pack_old(OLD, {"0": bytes(16)})[:-24], "cut off"),
    "a storage of another size": (pack_old(OLD, {"0": bytes(12)}), "another size"),
    "a storage that nobody has": (pack_old(OLD, {"0": bytes(16), "1": b""}), "not those"),
    "a storage that is not listed": (pack_old(OLD, {}), "not those"),
    "code": (pack_old(EVIL["by a name"], {}), "run code"),
    "code where the storages are told": (
        pack_old(OLD, {"0": bytes(16)}).replace(b"\x80\x02](", b"\x80\x02cos\nmkdir\n]("),
        "run code",
    ),
    "code before everything": (b"\x80\x02cos\nmkdir\n" + pack_old(OLD, {})[2:], "run code"),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
}


@pytest.mark.parametrize(("raw", "problem"), BAD_OLD.values(), ids=BAD_OLD)
def test_what_cannot_be_in_an_older_file_is_refused(
    tmp_path: Path, raw: bytes, problem: str
) -> None:
    (tmp_path / "a.bin").write_bytes(raw)
    with pytest.raises(BadCheckpoint, match=rf"a\.bin: .*{problem}"):
        read_pickled(tmp_path / "a.bin")


@given(at=st.integers(0, 2000), byte=st.integers(0, 255), cut=st.booleans(), old=st.booleans())
def test_a_broken_file_gives_tensors_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool, old: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.bin"
    write_zip(path, state_of({"a": ONE, "b": ONE}), {"0": bytes(16)})
    if old:
        path.write_bytes(pack_old(state_of({"a": ONE, "b": ONE}), {"0": bytes(16)}))
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] = byte
    path.write_bytes(raw[: at % len(raw)] if cut else raw)
    try:
        tensors = read_pickled(path)
    except BadCheckpoint:
        return
    assert all(tensor.load().nbytes <= 16 for tensor in tensors.values())
