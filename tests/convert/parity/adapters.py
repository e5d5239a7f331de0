"""Random adapters over the tiny models: with one laid over it, a model must compute what it does
with the product in its weights.

python -m tests.convert.parity.adapters FOLDER [CASE…]   a line for each case; status 1 if any
differs. Only models whose adapters are refused may be left out.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from puna.convert.check import logits_of
from puna.convert.checkpoint import read_weights
from puna.convert.conversion import Conversion, convert
from puna.convert.kinds import as_float32, is_float
from puna.errors import ConvertError
from tests.convert.parity.cases import CASES
from tests.fakes.checkpoints import write_safetensors

__all__ = ["main"]

Values = npt.NDArray[np.float32]

RANK, ALPHA = 4, 8.0
NEAR = 2e-3
"""Relative to the largest value: what the engine's table of GELU makes of other inputs included."""

_MODULE = re.compile(
    r"\.(\w+_lin|lin[12]|([qkvor]|qkv|gate|up|down|out|gate_up|w_pack|query_key_value)_?(proj)?"
    r"|query|key|value|c_attn|c_proj|c_fc|Wqkv|W_pack|w[123]|wqkv|wo|dense\w*|fc[12]|in_proj_\w+"
    r"|input_linear|output_linear)\.weight$"
)
"""What people train adapters of: the matrices of attention and of plain networks."""

_SELDOM = re.compile(r"experts|visual|vision|generation|router|classifier|pooler|rel|conv")
_REFUSED = frozenset(
    {
        "falcon-h1",
        "rwkv6",
        "kimi-linear",
        "plm",
        "bitnet",
        "llama3.2-vision, text",
    }
)
"""Models whose weights conversion multiplies or rounds, or over whose attention the engine lays
no adapter, or whose adapters are of layers that conversion leaves out: they cannot be converted.
"""

_FARTHER = {"gemma3n, shared keys": 0.1}
"""Twenty-two layers of random weights: what is rounded otherwise in one grows in those after it."""


async def _convert(kind: Literal["model", "adapter"], *paths: Path) -> None:
    source, target, *base = paths
    order = Conversion(kind, source, target, "F32", base[0] if base else None)
    async with aclosing(convert(order)) as steps:
        async for _ in steps:
            pass


def _trained(source: Path, folder: Path) -> int:
    """An adapter for the model in `folder`/adapter, and the model with it merged in
    `folder`/merged; how many matrices it changes.
    """
    stored = read_weights(source)
    weights = {
        name: as_float32(tensor.load(), tensor.kind)
        for name, tensor in stored.items()
        if is_float(tensor.kind)
    }
    architecture = json.loads((source / "config.json").read_text())["architectures"][0]
    turned = architecture == "GPT2LMHeadModel"  # its matrices are the other way round
    random, factors = np.random.default_rng(3), dict[str, Values]()
    for name, matrix in weights.items():
        if matrix.ndim != 2 or not _MODULE.search(name) or _SELDOM.search(name):
            continue
        n_out, n_in = matrix.shape[::-1] if turned else matrix.shape
        a = (random.normal(size=(RANK, n_in)) * 1.2 / np.sqrt(n_in)).astype(np.float32)
        b = (random.normal(size=(n_out, RANK)) * 0.15).astype(np.float32)
        module = f"base_model.model.{name.removesuffix('.weight')}"
        factors |= {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}
        product = np.float32(ALPHA / RANK) * (b @ a)
        weights[name] = matrix + (product.T if turned else product)
    _write(folder, source, factors, weights, turned)
    return len(factors) // 2


def _write(
    folder: Path, source: Path, factors: Mapping[str, Any], weights: Mapping[str, Any], turned: bool
) -> None:
    adapter, merged = folder / "adapter", folder / "merged"
    adapter.mkdir()
    write_safetensors(adapter / "adapter_model.safetensors", factors)
    settings = {"r": RANK, "lora_alpha": ALPHA, "fan_in_fan_out": turned}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    shutil.copytree(source, merged, ignore=shutil.ignore_patterns("*.gguf", "*.npz"))
    for path in merged.glob("*.safetensors*"):
        path.unlink()
    write_safetensors(merged / "model.safetensors", weights)


def _compare(source: Path, folder: Path) -> str:
    n_modules = _trained(source, folder)
    if not n_modules:
        return "has none of the matrices"
    base, merged, adapter = (folder / f"{name}.gguf" for name in ("base", "merged", "adapter"))
    asyncio.run(_convert("model", source, base))
    asyncio.run(_convert("model", folder / "merged", merged))
    try:
        asyncio.run(_convert("adapter", folder / "adapter", adapter, base))
    except ConvertError as refusal:
        return f"refused: {refusal}"
    prompt = np.load(source / "expected.npz")["prompt"].tolist()
    plain, wanted = logits_of(base, prompt), logits_of(merged, prompt)
    size = np.abs(wanted).max()
    moved = float(np.abs(wanted - plain).max() / size)
    off = float(np.abs(wanted - logits_of(base, prompt, adapter)).max() / size)
    near = _FARTHER.get(source.name, NEAR)
    word = "ok" if off < near and moved > 0.3 else "differs"
    return f"{word}: {off:.1e}, where the adapter changes {moved:.1f} ({n_modules} matrices)"


def _alone(source: Path) -> str:
    """In a process of its own: the engine may end it."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, "--alone", str(source), folder],
            capture_output=True,
            text=True,
            check=False,
        )
    return (done.stdout.splitlines() or [f"ended with {done.returncode}"])[-1]


def main(arguments: list[str]) -> int:
    """Compare all cases, or those that are named."""
    folder, *wanted = arguments
    failed = False
    for name in wanted or CASES:
        told = _alone(Path(folder) / name)
        passed = told.startswith("refused" if name in _REFUSED else "ok")
        failed = failed or not passed
        sys.stdout.write(f"{'ok  ' if passed else 'FAIL'} {name:28} {told[:300]}\n")
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1] == "--alone":
        sys.stdout.write(_compare(Path(sys.argv[2]), Path(sys.argv[3])) + "\n")
    else:
        sys.exit(main(sys.argv[1:]))
