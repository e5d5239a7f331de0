"""Checkpoints whose weights have scales beside them: they become plain tensors, or are refused.

Facts: conversion spec, section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from puna.convert.config import Config
from puna.convert.kinds import Array, as_float32, cast, has_bad_values
from puna.convert.tensor import Tensor
from puna.errors import ConvertError, MissingTensor

__all__ = ["unpacked"]

_SCALES = ("_scale_inv", "_scale", ".scale_inv", ".scale")
_KNOWN = frozenset({"fp8", "mxfp4"})
_FLOATS = frozenset({"float-quantized", "naive-quantized"})


def unpacked(config: Config, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without their scales, 8-bit floats as BF16. Raises ConvertError for other
    methods.
    """
    settings = config.part("quantization_config")
    method = settings.text_of("quant_method")
    if method == "compressed-tensors" and settings.text_of("format") in _FLOATS:
        method = "fp8"
    if method and method not in _KNOWN:
        raise ConvertError(
            f"config.json: weights that {method[:40]} has quantised cannot be converted: "
            "take the original checkpoint and quantise with --quantize"
        )
    plain: dict[str, Tensor] = {}
    used: set[str] = set()
    weights = _with_blocks(weights)
    for name, tensor in weights.items():
        if tensor.kind not in ("F8_E4M3", "F8_E5M2"):
            continue
        found = [each for each in _scale_names(name) if each in weights]
        if not found:
            raise MissingTensor(
                tensor.file, "is missing: an 8-bit weight needs its scale", name + _SCALES[0]
            )
        if len(found) > 1:
            raise tensor.bad(f"has two scales: {' and '.join(found)}")
        plain[name] = _scaled(tensor, weights[found[0]], settings)
        used.add(found[0])
    for name, tensor in weights.items():
        if name in used or name.endswith(
            (".input_scale", ".activation_scale", ".k_scale", ".v_scale", ".qscale_act")
        ):
            continue
        plain.setdefault(name, tensor)
    return {name: plain[name] for name in weights if name in plain}


def _scale_names(name: str) -> Iterator[str]:
    """The names that makers give to the scales of a weight."""
    stem = name.removesuffix(".weight")
    yield from (name + suffix for suffix in _SCALES)
    if stem != name:
        yield from (f"{stem}.scale_inv", f"{stem}.scale", f"{stem}.qscale_weight")


def _with_blocks(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """4-bit floats and the exponents of their blocks of 32, as GGUF packs them: nothing is lost."""
    packed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name.endswith("_blocks") and tensor.kind == "U8":
            scale = weights.get(name.removesuffix("_blocks") + "_scales")
            if scale is None:
                raise MissingTensor(tensor.file, "is missing", name.replace("_blocks", "_scales"))
            packed[name.removesuffix("_blocks")] = _packed(tensor, scale)
        elif not (name.endswith("_scales") and name.removesuffix("_scales") + "_blocks" in weights):
            packed[name] = tensor
    return packed


def _packed(blocks: Tensor, scale: Tensor) -> Tensor:
    """Each block as its exponent and 16 bytes; a byte holds values 16 apart instead
    of neighbours.
    """
    if len(blocks.shape) != 4 or blocks.shape[-1] != 16 or scale.shape != blocks.shape[:-1]:
        raise scale.bad(f"scales {list(scale.shape)} do not fit blocks {list(blocks.shape)}")
    if scale.kind not in ("U8", "F8_E8M0"):
        raise scale.bad(f"exponents of blocks are {scale.kind}")
    n_experts, n_rows, n_blocks, _ = blocks.shape

    def stream() -> Iterator[Array]:
        for codes, exponents in zip(blocks.load(), scale.load(), strict=True):
            values = np.empty((n_rows, n_blocks, 32), np.uint8)
            values[..., 0::2], values[..., 1::2] = codes & 15, codes >> 4
            halves = values[..., :16] | values[..., 16:] << 4
            yield np.concatenate([exponents[..., None], halves], axis=-1)

    shape = (n_experts, n_rows, n_blocks * 17)
    return replace(blocks, shape=shape, kind="MXFP4", stream=stream, place=None)


def _block(settings: Config) -> Sequence[Any]:
    """How many rows and columns have a scale together, in either of the two places."""
    groups = settings.part("config_groups")
    for name in groups.text:
        if found := groups.part(name).part("weights").items("block_structure"):
            return found
    return settings.items("weight_block_size")


def _scaled(tensor: Tensor, scale: Tensor, settings: Config) -> Tensor:
    """Each value by the scale of its block: of blocks, of rows, or of all."""
    if len(tensor.shape) != 2:
        raise tensor.bad(f"an 8-bit weight has shape {list(tensor.shape)}, not two dimensions")
    n_rows, n_columns = tensor.shape
    grid = scale.shape if len(scale.shape) == 2 else (scale.shape[0], 1)
    block = [int(n) for n in _block(settings) if type(n) is int and n > 0]
    if grid == (1, 1):
        block = [n_rows, n_columns]
    elif grid == (n_rows, 1):
        block = [1, n_columns]
    if len(block) != 2 or grid != (-(-n_rows // block[0]), -(-n_columns // block[1])):
        raise scale.bad(f"scales {list(scale.shape)} do not fit weights {list(tensor.shape)}")
    height, width = block

    def stream() -> Iterator[Array]:
        values, scales = tensor.load(), as_float32(scale.load(), scale.kind).reshape(grid)
        step = max((4 << 20) // (4 * n_columns) // height, 1)
        for top in range(0, grid[0], step):
            rows = as_float32(values[top * height : (top + step) * height], tensor.kind)
            wide = np.repeat(scales[top : top + step], height, axis=0)[: len(rows)]
            wide = np.repeat(wide, width, axis=1)[:, :n_columns]
            with np.errstate(over="ignore"):  # what becomes infinite is refused
                scaled = cast(rows * wide, "F32", "BF16")
            if has_bad_values(scaled, "BF16"):
                raise tensor.bad(f"times {scale.source} has values beyond those of BF16")
            yield scaled

    return replace(tensor, kind="BF16", stream=stream, place=None, origin=tensor.kind)
