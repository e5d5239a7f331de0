"""A tiny gpt-oss as the reference's library had it first: MXFP4 under another number and with
neighbours in a byte, queries, keys and values in one tensor, gates and up-projections by turns.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from tests.fakes.monoliths import Keys, Weights, read_gguf, write_copy
from tests.fakes.renamed import LAYERS, RENAMED, write_pair

__all__ = ["write_first_pair"]

_MXFP4, _BF16 = gguf.GGMLQuantizationType.MXFP4, gguf.GGMLQuantizationType.BF16
_PAIRED = 4


def write_first_pair(folder: Path) -> tuple[Path, Path]:
    """The engine's file, and the reference's."""
    ours, theirs = write_pair(folder, RENAMED["gpt-oss"])
    keys, weights = read_gguf(ours)
    for name, values in weights.items():
        if "_exps.weight" in name:
            weights[name] = gguf.quants.quantize(values, _MXFP4)
        elif name.endswith(".bias"):
            weights[name] = gguf.quants.dequantize(gguf.quants.quantize(values, _BF16), _BF16)
    ours.unlink()
    write_copy(ours, keys, weights)
    keys, _ = read_gguf(theirs)
    theirs.unlink()
    _write(theirs, keys, _first_form(weights))
    return ours, theirs


def _first_form(weights: Weights) -> Weights:
    made = dict(weights)
    for block in (f"blk.{number}" for number in range(LAYERS)):
        for kind in ("weight", "bias"):
            parts = [made.pop(f"{block}.attn_{letter}.{kind}") for letter in "qkv"]
            made[f"{block}.attn_qkv.{kind}"] = np.concatenate(parts)
            gate, up = (made.pop(f"{block}.ffn_{part}_exps.{kind}") for part in ("gate", "up"))
            turns = np.stack([gate, up], 2)
            made[f"{block}.ffn_gate_up_exps.{kind}"] = turns.reshape(
                len(gate), 2 * gate.shape[1], *gate.shape[2:]
            )
        made[f"{block}.attn_out.weight"] = made.pop(f"{block}.attn_output.weight")
        made[f"{block}.attn_out.bias"] = made.pop(f"{block}.attn_output.bias")
        made[f"{block}.attn_sinks"] = made.pop(f"{block}.attn_sinks.weight")
        made[f"{block}.ffn_norm.weight"] = made.pop(f"{block}.post_attention_norm.weight")
    return {
        name: _pair(values) if values.dtype == np.uint8 else values for name, values in made.items()
    }


def _pair(blocks: NDArray[Any]) -> NDArray[Any]:
    """Each block's values in their order, two to a byte, after the block's scale."""
    made = blocks.copy().reshape(-1, 17)
    for block in made:
        values = [*(block[1:] & 15), *(block[1:] >> 4)]
        block[1:] = [low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True)]
    return made.reshape(blocks.shape)


def _write(path: Path, keys: Keys, weights: Weights) -> None:
    """Biases as BF16, and another number for the type MXFP4."""
    shorter = {
        name: gguf.quants.quantize(values, _BF16) if name.endswith(".bias") else values
        for name, values in weights.items()
    }
    write_copy(path, keys, shorter)
    raw = bytearray(path.read_bytes())
    for name, values in weights.items():
        if values.dtype == np.uint8:
            shape = (values.shape[2] // 17 * 32, values.shape[1], values.shape[0])
            start = raw.index(struct.pack("<Q", len(name)) + name.encode())
            place = start + 8 + len(name) + 4 + 24
            assert struct.unpack_from("<3QI", raw, place - 24) == (*shape, _MXFP4)
            struct.pack_into("<I", raw, place, _PAIRED)
    path.write_bytes(raw)
