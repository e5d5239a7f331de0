"""Weights that checkpoints keep with scales beside them."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from puna.convert.config import Config
from puna.convert.kinds import STORAGE, as_float32, has_bad_values
from puna.convert.quantized import unpacked
from puna.convert.tensor import Tensor
from puna.errors import ConvertError, MissingTensor

FOUR_BITS = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
FOUR_BITS += [-value for value in FOUR_BITS]


def tensor(kind: str, values: NDArray[Any]) -> Tensor:
    """A tensor that is nowhere but here."""
    return Tensor(values.shape, kind, lambda: iter([values]), "model.safetensors", "a tensor")


def test_blocks_of_four_bits_lose_nothing() -> None:
    random = np.random.default_rng(3)
    codes = random.integers(0, 16, (2, 3, 2, 32))
    blocks = (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)
    exponents = random.integers(120, 132, (2, 3, 2)).astype(np.uint8)
    name = "model.layers.0.mlp.experts.down_proj"
    packed = unpacked(
        Config({"quantization_config": {"quant_method": "mxfp4"}}),
        {f"{name}_blocks": tensor("U8", blocks), f"{name}_scales": tensor("U8", exponents)},
    )
    (only,) = packed.values()
    assert list(packed) == [name]
    got = gguf.quants.dequantize(only.load(), gguf.GGMLQuantizationType.MXFP4)
    scales = np.ldexp(1.0, exponents.astype(np.int64) - 127)[..., None]
    assert np.array_equal(got, (np.array(FOUR_BITS)[codes] * scales).reshape(2, 3, 64))


def float8(code: int) -> float:
    """The value of an E4M3 code, by its bits."""
    sign = -1.0 if code & 128 else 1.0
    exponent, mantissa = code >> 3 & 15, code & 7
    if exponent == 0:
        return sign * mantissa / 8 * 2.0**-6
    return float(sign * (1 + mantissa / 8) * 2.0 ** (exponent - 7))


SCALES: dict[str, tuple[tuple[int, ...], list[int]]] = {
    "of blocks, the last ones cut": ((3, 2), [4, 8]),
    "of rows": ((10, 1), []),
    "of all": ((1,), []),
}


@pytest.mark.parametrize(("shape", "block"), SCALES.values(), ids=SCALES)
def test_floats_of_eight_bits_are_multiplied_by_their_scale(
    shape: tuple[int, ...], block: list[int]
) -> None:
    random = np.random.default_rng(5)
    codes = random.integers(0, 127, (10, 12)).astype(np.uint8)
    codes[::2] += 128
    codes[codes == 255] = 1
    scales = (2.0 ** random.integers(-3, 3, shape)).astype(np.float32)
    settings = {"quant_method": "fp8", "weight_block_size": block}
    plain = unpacked(
        Config({"quantization_config": settings}),
        {"a.weight": tensor("F8_E4M3", codes), "a.weight_scale_inv": tensor("F32", scales)},
    )
    assert list(plain) == ["a.weight"]
    got = as_float32(plain["a.weight"].load(), plain["a.weight"].kind)
    height, width = block or (10 // shape[0], 12)
    grid = scales.reshape(shape if len(shape) == 2 else (shape[0], 1))
    for row in range(10):
        for column in range(12):
            wanted = float8(int(codes[row, column])) * grid[row // height, column // width]
            assert got[row, column] == wanted


def test_a_scale_that_is_missing_or_twice_there_is_named() -> None:
    codes = tensor("F8_E4M3", np.zeros((2, 2), np.uint8))
    scale = tensor("F32", np.ones(1, np.float32))
    with pytest.raises(MissingTensor, match=r"a\.weight_scale_inv"):
        unpacked(Config({}), {"a.weight": codes})
    both = {"a.weight": codes, "a.weight_scale": scale, "a.weight_scale_inv": scale}
    with pytest.raises(ConvertError, match="two scales"):
        unpacked(Config({}), both)


@pytest.mark.parametrize("method", ["gptq", "awq", "bitsandbytes"])
def test_other_methods_are_refused_by_name(method: str) -> None:
    with pytest.raises(ConvertError, match=f"{method} has quantised"):
        unpacked(Config({"quantization_config": {"quant_method": method}}), {})


def test_kinds_of_floats_agree_with_their_bits() -> None:
    codes = np.arange(255, dtype=np.uint8)
    codes = codes[(codes & 127) != 127]
    assert as_float32(codes, "F8_E4M3").tolist() == [float8(int(code)) for code in codes]


@pytest.mark.parametrize(("kind", "least"), [("F16", 0x7C00), ("BF16", 0x7F80)])
def test_numbers_that_are_none_are_found_with_either_sign(kind: str, least: int) -> None:
    """Each lies between two that are well."""
    for bits in (0, 1, 0x3C00, least - 1, least, least + 1, 0x7FFF):
        for sign in (0, 0x8000):
            values = np.array([0x3C00, bits | sign, 0x8001], np.uint16).view(STORAGE[kind])
            assert has_bad_values(values, kind) == (bits >= least)
    assert not has_bad_values(np.empty(0, STORAGE[kind]), kind)
