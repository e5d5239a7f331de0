"""Which tensors the quantiser changes, told by the real one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gguf
import numpy as np
import pytest

from puna.convert.quantize import Quantization, parse_level, quantize
from puna.errors import BadModelFile, QuantError
from puna.gguf.reader import read_header
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.shapes import make_tiny_mamba


def run(source: Path, level: str, architecture: str = "llama") -> dict[str, str]:
    """The types of the tensors after quantising to `level`."""
    target = source.with_suffix(".out")

    async def work() -> None:
        order = Quantization(source, target, architecture, "F32", parse_level(level))
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


def test_rows_that_do_not_fit_the_blocks_get_another_type(tmp_path: Path) -> None:
    types = run(make_tiny_llama(tmp_path / "a.gguf"), "q4_K_M")
    assert types["blk.0.attn_q.weight"] == "Q5_0"


def test_states_are_quantised_but_for_their_small_parts(tmp_path: Path) -> None:
    types = run(make_tiny_mamba(tmp_path / "a.gguf"), "q8_0", "mamba")
    assert types["blk.0.ssm_in.weight"] == "Q8_0"
    assert types["blk.0.ssm_conv1d.weight"] == "F32"


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
