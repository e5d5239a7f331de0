"""Compares how values of few bits are read and rounded with torch and transformers, value by value.

python -m tests.convert.parity.kinds   a line for each kind; status 1 if any value differs. Runs
where torch and transformers are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import gguf
import numpy as np
import torch
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from puna.convert.config import Config
from puna.convert.kinds import as_float32, cast
from puna.convert.quantized import unpacked
from puna.convert.tensor import Tensor

__all__ = ["main"]

_NARROW = {
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
}
_SAMPLES = 2_000_000


def results() -> Iterator[tuple[str, bool]]:
    """Each kind, and whether all of its values, or a sample of all floats, are the same."""
    codes = np.arange(256, dtype=np.uint8)
    for kind, theirs in _NARROW.items():
        wanted = torch.from_numpy(codes.copy()).view(theirs).float().numpy()
        yield kind, np.array_equal(as_float32(codes, kind), wanted, equal_nan=True)
    bits = np.arange(1 << 16, dtype=np.uint16)
    wide = torch.from_numpy(bits.view(np.int16).copy()).view(torch.bfloat16).float().numpy()
    yield "BF16", np.array_equal(as_float32(bits, "BF16"), wide, equal_nan=True)
    drawn = np.random.default_rng(0).integers(0, 1 << 32, _SAMPLES, np.uint32).view(np.float32)
    floats = torch.from_numpy(drawn[np.isfinite(drawn)])
    for kind, rounded in (("BF16", torch.bfloat16), ("F16", torch.float16)):
        wanted = floats.to(rounded).view(torch.int16).numpy().view(np.uint16)
        found = cast(floats.numpy(), "F32", kind).view(np.uint16)
        yield f"F32 as {kind}", np.array_equal(found, wanted)
    yield "MXFP4", _blocks_agree()


def _blocks_agree() -> bool:
    """gpt-oss's blocks of 32 values of four bits, of two experts."""
    random = np.random.default_rng(3)
    blocks = random.integers(0, 256, (2, 6, 4, 16)).astype(np.uint8)
    exponents = random.integers(110, 140, (2, 6, 4)).astype(np.uint8)
    parts = {"a_blocks": blocks, "a_scales": exponents}
    tensors = {name: _tensor(values) for name, values in parts.items()}
    packed = unpacked(Config({}), tensors)["a"].load()
    found = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.MXFP4)
    theirs = convert_moe_packed_tensors(
        torch.from_numpy(blocks), torch.from_numpy(exponents), dtype=torch.float32
    )
    return np.array_equal(found, theirs.transpose(1, 2).numpy())


def _tensor(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    return Tensor(values.shape, "U8", lambda: iter([values]), "model.safetensors", "a tensor")


def main() -> int:
    """Compare all kinds."""
    failed = False
    for name, is_same in results():
        sys.stdout.write(f"{'ok  ' if is_same else 'FAIL'} {name}\n")
        failed = failed or not is_same
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
