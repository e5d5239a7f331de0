"""Which tensors the quantiser changes, told by the real one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from puna.convert.levels import LEVELS, needs_matrix, parse_level
from puna.convert.quantize import Quantization, quantize
from puna.convert.quantize_file import FileOrder, plan
from puna.errors import BadModelFile, QuantError
from puna.gguf.reader import read_header
from tests.convert.levels import MIXES, QUICK
from tests.fakes.ggufs import Tensor, Value, make_tiny_llama, write_gguf
from tests.fakes.matrices import pack_gguf_matrix, pack_old_matrix
from tests.fakes.monoliths import FORMS, write_monolith
from tests.fakes.projectors import GEMMA, make_projector
from tests.fakes.renamed import RENAMED, write_pair
from tests.fakes.shapes import make_tiny_experts, make_tiny_mamba, make_tiny_window

ROOT = Path(__file__).parents[2]


def run(
    source: Path, level: str, architecture: str = "llama", matrix: Path | None = None
) -> dict[str, str]:
    """The types of the tensors after quantising to `level`."""
    target = source.with_suffix(".out")

    async def work() -> None:
        order = Quantization(source, target, architecture, "F32", parse_level(level), matrix)
        fractions = [fraction async for fraction in quantize(order)]
        assert fractions[-1] == 1

    asyncio.run(work())
    return {tensor.name: tensor.type_name for tensor in read_header(target).tensors}


def test_embedded_encoders_stay_as_they_are(tmp_path: Path) -> None:
    """Their names are patterns to libllama: only the right tensors are kept."""
    source = make_tiny_llama(
        tmp_path / "a.gguf",
        more={
            "v.blk.0.attn_q.weight": np.ones((64, 64), np.float16),
            "v+blk.0.attn_q.weight": np.ones((64, 64), np.float16),
            "mm.0.weight": np.ones((64, 64), np.float32),
        },
    )
    types = run(source, "q8_0")
    assert types["v.blk.0.attn_q.weight"] == "F16"
    assert types["mm.0.weight"] == "F32"
    assert types["v+blk.0.attn_q.weight"] == "Q8_0"
    assert types["blk.0.attn_q.weight"] == "Q8_0"


@pytest.mark.parametrize(
    ("architecture", "output"), {"llama": "Q6_K", "glm4": "F16"}.items(), ids=["plain", "tied"]
)
def test_some_architectures_keep_more_of_some_tensors(
    tmp_path: Path, architecture: str, output: str
) -> None:
    """The weights are a Llama's: the choice goes by the name that is given."""
    source = make_tiny_llama(tmp_path / "a.gguf", n_embd=256)
    assert run(source, "q4_K_M", architecture)["output.weight"] == output
    assert run(source, "q8_0", architecture)["output.weight"] == "Q8_0"


def test_bert_keeps_values_at_eight_bits(tmp_path: Path) -> None:
    """The weights are a Llama's: the choice goes by the name that is given."""
    types = run(make_tiny_llama(tmp_path / "a.gguf"), "q8_0", "bert")
    assert types["blk.0.attn_v.weight"] == "F16"
    assert types["blk.0.attn_k.weight"] == "Q8_0"


def test_rows_that_do_not_fit_the_blocks_get_another_type(tmp_path: Path) -> None:
    types = run(make_tiny_llama(tmp_path / "a.gguf"), "q4_K_M")
    assert types["blk.0.attn_q.weight"] == "Q5_0"


def test_states_are_quantised_but_for_their_small_parts(tmp_path: Path) -> None:
    types = run(make_tiny_mamba(tmp_path / "a.gguf"), "q8_0", "mamba")
    assert types["blk.0.ssm_in.weight"] == "Q8_0"
    assert types["blk.0.ssm_conv1d.weight"] == "F32"


def test_files_of_the_references_form_become_the_engines(tmp_path: Path) -> None:
    ours, theirs = write_pair(tmp_path, RENAMED["gpt-oss"])
    types = run(theirs, "q8_0", "gptoss")
    assert types == run(ours, "q8_0", "gpt-oss")
    made = read_header(theirs.with_suffix(".out"))
    assert made.metadata["general.architecture"] == "gpt-oss"
    assert {path.suffix for path in tmp_path.iterdir()} == {".gguf", ".out"}


BROKEN: dict[str, Value] = {
    "general.architecture": "nemotron_h_omni",
    "nemotron_h_omni.block_count": 1,
    "general.file_type": 1,
}


def test_what_would_be_lost_is_a_reason_to_refuse(tmp_path: Path) -> None:
    source = tmp_path / "a.gguf"
    write_gguf(source, BROKEN, [Tensor("blk.0.x"), Tensor("v.x")])
    with pytest.raises(QuantError, match="the encoder inside its file cannot be used"):
        run(source, "q8_0")
    whole = write_monolith(
        tmp_path / "whole.gguf",
        make_tiny_window(tmp_path / "text.gguf"),
        make_projector(tmp_path / "eye.gguf", GEMMA),
        FORMS["gemma3"],
    )
    with pytest.raises(QuantError, match="becomes a file of its own: make a model of it"):
        plan(FileOrder(whole, tmp_path / "b.gguf", "q8_0"), replace=False)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.gguf"
    source.write_bytes(b"GGUF")
    with pytest.raises(BadModelFile):
        run(source, "q8_0")
    writer = gguf.GGUFWriter(source, "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(QuantError, match=r"cannot quantize: .*key not found"):
        run(source, "q8_0")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 256, which the smaller types need."""
    return make_tiny_llama(tmp_path_factory.mktemp("gguf") / "wide.gguf", n_embd=256)


@pytest.fixture(scope="module")
def matrices(wide: Path) -> dict[str, Path]:
    """What matters of it, in both forms."""
    shapes = {t.name: t.shape for t in read_header(wide).tensors if len(t.shape) == 2}
    sums = {name: [1 + place % 7 for place in range(shape[0])] for name, shape in shapes.items()}
    newer, older = wide.with_name("m.gguf"), wide.with_name("m.dat")
    newer.write_bytes(pack_gguf_matrix(sums, {name: [2] for name in sums}, "wiki ü" * 40))
    older.write_bytes(pack_old_matrix(sums))
    return {"newer": newer, "older": older}


def test_every_type_is_of_its_mix_and_computes_numbers() -> None:
    """All but those that take seconds each, which `make test-convert` has, too."""
    assert MIXES.keys() == set(LEVELS)
    command = [sys.executable, "-m", "tests.convert.levels", *QUICK]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    wrong = [line for line in done.stderr.splitlines() if line.startswith("FAIL")]
    assert (done.returncode, wrong) == (0, []), done.stderr[-2000:]
    assert done.stderr.count("ok  ") == len(QUICK)


def test_experts_get_four_bits_and_the_rest_eight(tmp_path: Path) -> None:
    types = run(make_tiny_experts(tmp_path / "a.gguf"), "mxfp4_moe")
    assert types["blk.0.ffn_up_exps.weight"] == "MXFP4"
    assert types["blk.0.attn_q.weight"] == "Q8_0"
    assert types["blk.0.ffn_gate_inp.weight"] == "F32"


def test_rows_that_fit_no_block_are_told(tmp_path: Path) -> None:
    with pytest.raises(QuantError, match=r"cannot quantize: .*q1_0"):
        run(make_tiny_llama(tmp_path / "a.gguf"), "q1_0")


@pytest.mark.parametrize("form", ["newer", "older"])
def test_what_a_matrix_was_measured_with_is_written_down(
    wide: Path, matrices: dict[str, Path], form: str
) -> None:
    run(wide, "q2_k_s", matrix=matrices[form])
    metadata = read_header(wide.with_suffix(".out")).metadata
    records = {key: value for key, value in metadata.items() if "quantize.imatrix" in key}
    assert len(records) == 3
    assert records["quantize.imatrix.chunks_count"] == 5
    if form == "newer":
        assert records["quantize.imatrix.dataset"] == ("wiki ü" * 40).encode()[:127].decode()


def test_a_matrix_changes_the_weights(wide: Path, matrices: dict[str, Path]) -> None:
    run(wide, "q4_k_s")
    plain = wide.with_suffix(".out").read_bytes()
    run(wide, "q4_k_s", matrix=matrices["older"])
    assert wide.with_suffix(".out").read_bytes()[-4096:] != plain[-4096:]


def test_we_know_which_types_the_engine_makes_only_with_a_matrix(wide: Path) -> None:
    """Q2_K and IQ3_S are made without, those below them are not: the table says the same."""
    for level in ("Q2_K", "IQ3_S"):
        assert not needs_matrix(level)
        run(wide, level)
    for level in ("Q2_K_S", "IQ3_XS", "IQ2_M"):
        assert needs_matrix(level)
        with pytest.raises(QuantError, match="requires an imatrix"):
            run(wide, level)


def test_a_matrix_of_another_model_is_refused(tmp_path: Path, wide: Path) -> None:
    path = tmp_path / "m.dat"
    path.write_bytes(pack_old_matrix({"output.weight": [1.0] * 64}))
    with pytest.raises(QuantError, match="cannot quantize: the importance matrix is of another"):
        run(wide, "q4_k_m", matrix=path)
    path.write_bytes(b"no matrix")
    with pytest.raises(QuantError, match=r"cannot quantize: m\.dat is no importance matrix"):
        run(wide, "q4_k_m", matrix=path)
