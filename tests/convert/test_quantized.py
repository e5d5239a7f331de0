"""Weights that checkpoints keep with scales beside them."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from puna.convert.config import Config
from puna.convert.kinds import STORAGE, as_float32, cast, has_bad_values
from puna.convert.quantized import unpacked
from puna.convert.tensor import Tensor, concat, stack
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


NAMES = ("a.weight_scale_inv", "a.weight_scale", "a.weight.scale", "a.scale_inv", "a.qscale_weight")


@pytest.mark.parametrize("name", NAMES)
def test_a_scale_is_found_by_each_of_its_names(name: str) -> None:
    codes = tensor("F8_E4M3", np.array([[0x38, 0xB8]], np.uint8))
    scale = tensor("F32", np.array([3.0], np.float32))
    plain = unpacked(Config({}), {"a.weight": codes, name: scale})
    assert list(plain) == ["a.weight"]
    assert as_float32(plain["a.weight"].load(), "BF16").tolist() == [[3.0, -3.0]]


def test_blocks_may_be_said_for_a_group_of_layers() -> None:
    weights = {"input_activations": None, "weights": {"block_structure": [1, 2]}}
    settings = {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "config_groups": {"group_0": weights},
    }
    plain = unpacked(
        Config({"quantization_config": settings}),
        {
            "a.weight": tensor("F8_E4M3", np.full((2, 4), 0x38, np.uint8)),
            "a.weight_scale": tensor("BF16", np.array([[0x3F80, 0x4000]] * 2, np.uint16)),
        },
    )
    assert as_float32(plain["a.weight"].load(), "BF16").tolist() == [[1, 1, 2, 2]] * 2


def test_scales_that_do_not_fit_are_named() -> None:
    codes = tensor("F8_E4M3", np.zeros((4, 4), np.uint8))
    settings = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [2, 3]}}
    weights = {"a.weight": codes, "a.weight_scale_inv": tensor("F32", np.ones((3, 2), np.float32))}
    with pytest.raises(ConvertError, match=r"scales \[3, 2\] do not fit weights \[4, 4\]"):
        unpacked(Config(settings), weights)
    three = tensor("F8_E4M3", np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(ConvertError, match="not two dimensions"):
        unpacked(Config({}), {"a.weight": three, "a.weight_scale": weights["a.weight_scale_inv"]})


def test_a_product_beyond_what_there_are_numbers_for_is_named() -> None:
    codes = tensor("F8_E4M3", np.full((2, 2), 0x7E, np.uint8))
    scale = tensor("F32", np.array([1e38], np.float32))
    plain = unpacked(Config({}), {"a.weight": codes, "a.weight_scale": scale})
    with pytest.raises(ConvertError, match="has values beyond those of BF16"):
        plain["a.weight"].load()


def test_what_had_eight_bits_is_known_of_parts_and_of_what_is_joined() -> None:
    codes = tensor("F8_E4M3", np.full((4, 2), 0x38, np.uint8))
    scale = tensor("F32", np.ones(1, np.float32))
    narrow = unpacked(Config({}), {"a.weight": codes, "a.weight_scale": scale})["a.weight"]
    wide = tensor("BF16", np.zeros((4, 2), np.uint16))
    assert narrow.transposed().rows(0, 1).origin == "F8_E4M3"
    assert stack([narrow, narrow]).origin == "F8_E4M3"
    assert concat([narrow, wide]).origin == concat([wide, narrow]).origin == ""


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


def float8_5(code: int) -> float:
    """The value of an E5M2 code, by its bits: half of an F16."""
    return float(np.array([code << 8], np.uint16).view(np.float16)[0])


def test_floats_of_five_bits_for_the_exponent_are_the_upper_half_of_float16() -> None:
    codes = np.arange(256, dtype=np.uint8)
    expected = np.array([float8_5(code) for code in range(256)], np.float32)
    np.testing.assert_array_equal(as_float32(codes, "F8_E5M2"), expected)
    assert has_bad_values(np.array([0x7C], np.uint8), "F8_E5M2")
    assert not has_bad_values(np.array([0x7B], np.uint8), "F8_E5M2")


def test_exponents_alone_are_powers_of_two() -> None:
    powers = as_float32(np.arange(255, dtype=np.uint8), "F8_E8M0")
    assert powers.tolist() == [2.0 ** (code - 127) for code in range(255)]
    assert has_bad_values(np.array([255], np.uint8), "F8_E8M0")


ROUNDED = {
    "a tie to even, down": (0x3F808000, 0x3F80),
    "a tie to even, up": (0x3F818000, 0x3F82),
    "just above a tie": (0x3F808001, 0x3F81),
    "into the next power": (0x3FFFFFFF, 0x4000),
    "the smallest that is not zero": (0x00000001, 0x0000),
    "a negative zero": (0x80000000, 0x8000),
    "beyond the largest": (0x7F7FFFFF, 0x7F80),
}


@pytest.mark.parametrize(("bits", "expected"), ROUNDED.values(), ids=ROUNDED)
def test_brain_floats_are_rounded_to_the_nearest(bits: int, expected: int) -> None:
    assert cast(np.array([bits], np.uint32).view(np.float32), "F32", "BF16").tolist() == [expected]


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
