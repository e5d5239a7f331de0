"""`puna quantize`: a smaller file beside a model's, whole or not at all, and no server."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from puna.gguf.describe import describe
from puna.gguf.reader import read_header
from tests.cli.support import environment, puna
from tests.e2e.server import processes, until
from tests.fakes.ggufs import make_tiny_adapter, make_tiny_llama
from tests.fakes.matrices import pack_old_matrix


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    make_tiny_llama(folder / "wide.gguf", n_embd=256)
    make_tiny_adapter(folder / "lora.gguf")
    columns = {t.name: t.shape[0] for t in read_header(folder / "wide.gguf").tensors}
    matrix = pack_old_matrix({name: [1.0] * count for name, count in columns.items()})
    (folder / "m.dat").write_bytes(matrix)
    return folder


def test_a_smaller_file(folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, PUNA_NO_START="1")
    target = tmp_path / "small.gguf"
    done = puna("quantize", str(folder / "wide.gguf"), str(target), "q4_k_m", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["quantizing F32 model to Q4_K_M 3.9 MB"]
    assert done.stdout.startswith(f"{target}: ")
    assert done.stdout.endswith(" KB, was 3.9 MB\n")
    assert describe(target).file_type == "Q4_K_M"
    assert list(tmp_path.glob(".*gguf*")) == []


def test_with_a_matrix_and_over_an_older_file(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.gguf"
    target.write_bytes(b"old")
    words = ["quantize", str(folder / "wide.gguf"), str(target), "Q2_K_S"]
    env = environment(tmp_path)
    more = ["--imatrix", str(folder / "m.dat")]
    refused = puna(*words, *more, env=env)
    assert refused.stderr == f"Error: {target} is there already: replace it with --force\n"
    assert target.read_bytes() == b"old"
    done = puna(*words, *more, "-f", env=env)
    assert done.returncode == 0, done.stderr
    assert describe(target).file_type == "Q2_K_S"


def test_a_model_in_parts_becomes_one_file(tmp_path: Path) -> None:
    make_tiny_llama(tmp_path / "m.gguf", n_embd=256, tensors_per_part=8)
    first = next(tmp_path.glob("m-00001-of-*.gguf"))
    env = environment(tmp_path)
    done = puna("quantize", str(first), str(tmp_path / "one.gguf"), "q8_0", env=env)
    assert done.returncode == 0, done.stderr
    made = describe(tmp_path / "one.gguf")
    assert (made.file_type, made.split_count) == ("Q8_0", 0)
    assert {t.type_name for t in read_header(tmp_path / "one.gguf").tensors} == {"Q8_0", "F32"}


REFUSED = {
    "an unknown type": (["wide.gguf", "o.gguf", "q9"], "unsupported quantization type Q9 - "),
    "a type that needs a matrix": (
        ["wide.gguf", "o.gguf", "iq2_xxs"],
        "quantizing to IQ2_XXS needs an importance matrix: give one with --imatrix FILE",
    ),
    "a matrix that is not there": (
        ["wide.gguf", "o.gguf", "q8_0", "--imatrix", "gone"],
        "gone: no such file",
    ),
    "a matrix that is none": (
        ["wide.gguf", "o.gguf", "q8_0", "--imatrix", "wide.gguf"],
        "cannot quantize: wide.gguf is no importance matrix that can be used: "
        "it is a GGUF file of another kind",
    ),
    "no file": (["gone.gguf", "o.gguf", "q8_0"], "gone.gguf: no such file"),
    "a folder": ([".", "o.gguf", "q8_0"], ". is a folder: puna create makes a model of it"),
    "no GGUF": (["m.dat", "o.gguf", "q8_0"], "invalid file magic: not a GGUF file"),
    "no model": (["lora.gguf", "o.gguf", "q8_0"], "lora.gguf is no model: adapter"),
    "the same file": (
        ["wide.gguf", "./wide.gguf", "q8_0", "-f"],
        "wide.gguf cannot be replaced: name another file",
    ),
    "no folder": (["wide.gguf", "no/o.gguf", "q8_0"], "no: no such folder"),
    "too few words": (["wide.gguf", "o.gguf"], "accepts 3 arg(s), received 2"),
}


@pytest.mark.parametrize(("words", "text"), REFUSED.values(), ids=REFUSED)
def test_mistakes_are_told_and_leave_nothing(
    folder: Path, tmp_path: Path, words: list[str], text: str
) -> None:
    before = {path.name for path in folder.iterdir()}
    done = puna("quantize", *words, env=environment(tmp_path), cwd=folder)
    assert done.returncode == 1
    assert f"Error: {text}" in done.stderr.splitlines()[-1]
    assert {path.name for path in folder.iterdir()} == before


def test_weights_that_lost_bits_are_refused(folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path)
    small = str(tmp_path / "small.gguf")
    assert puna("quantize", str(folder / "wide.gguf"), small, "q8_0", env=env).returncode == 0
    done = puna("quantize", small, str(tmp_path / "o.gguf"), "q4_0", env=env)
    text = "quantization is only supported for F16, BF16 and F32 models"
    assert done.stderr == f"Error: {text}\n"


def test_ctrl_c_ends_the_quantiser_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    words = ["quantize", str(folder / "wide.gguf"), str(tmp_path / "o.gguf"), "q4_k_m"]
    with subprocess.Popen(
        [sys.executable, "-m", "puna", *words],
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        until(lambda: bool(processes(tmp_path, "puna.convert.quantizer")), "the child starts")
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode != 0
    assert processes(tmp_path, "puna.convert.quantizer") == []
    assert list(tmp_path.glob("*gguf*")) + list(tmp_path.glob(".*gguf*")) == []
