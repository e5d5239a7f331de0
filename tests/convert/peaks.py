"""Converts large sparse checkpoints and says what memory that took: run in a process of its own.

python -m tests.convert.peaks CASE FOLDER   bytes: the growth, the largest tensor, all tensors
"""

from __future__ import annotations

import contextlib
import json
import math
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from puna.convert.conversion import Order
from puna.convert.model import convert_model
from puna.gguf.reader import read_header
from tests.fakes.checkpoints import LLAMA, write_tokenizer
from tests.fakes.pickled import pack_view, state_of, write_zip

__all__ = ["CASES", "main"]

WIDTH, FFN, LAYERS = 512, 8192, 4
Shapes = dict[str, tuple[str, tuple[int, ...]]]
_SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "U8": 1}


class _Enough(Exception):
    """The last tensor's turn has come: all others are written."""


@dataclass(frozen=True)
class Case:
    """Weights of zeros, and what is asked for."""

    shapes: Callable[[], Shapes]
    kind: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    is_pickled: bool = False


def _llama(kind: str, width: int = WIDTH, ffn: int = FFN, *, n_layers: int = LAYERS) -> Shapes:
    """Nearly all of it are three matrices of each layer."""
    shapes: Shapes = {
        "model.embed_tokens.weight": (kind, (280, width)),
        "model.norm.weight": (kind, (width,)),
        "lm_head.weight": (kind, (280, width)),
    }
    for layer in range(n_layers):
        at = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = (kind, (width, width))
        for name in ("gate_proj", "up_proj"):
            shapes[f"{at}.mlp.{name}.weight"] = (kind, (ffn, width))
        shapes[f"{at}.mlp.down_proj.weight"] = (kind, (width, ffn))
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{at}.{name}.weight"] = (kind, (width,))
    return shapes


def _eight_bits() -> Shapes:
    """Scales of blocks beside the matrices of the layers."""
    shapes: Shapes = {}
    for name, (_, shape) in _llama("BF16", ffn=2 * FFN).items():
        if "_proj" not in name:
            shapes[name] = ("BF16", shape)
            continue
        shapes[name] = ("F8_E4M3", shape)
        grid = tuple(-(-n // 128) for n in shape)
        shapes[f"{name}_scale_inv"] = ("F32", grid)
    return shapes


def _mixtral() -> Shapes:
    """Eight experts that become one tensor each."""
    shapes = {n: s for n, s in _llama("F16", ffn=1024).items() if ".mlp." not in n}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}.block_sparse_moe"
        shapes[f"{at}.gate.weight"] = ("F16", (8, WIDTH))
        for expert in range(8):
            for name, shape in {
                "w1": (2048, WIDTH),
                "w2": (WIDTH, 2048),
                "w3": (2048, WIDTH),
            }.items():
                shapes[f"{at}.experts.{expert}.{name}.weight"] = ("F16", shape)
    return shapes


def _four_bits() -> Shapes:
    """Experts of gpt-oss in blocks of 32."""
    shapes: Shapes = {
        "model.embed_tokens.weight": ("BF16", (280, WIDTH)),
        "model.norm.weight": ("BF16", (WIDTH,)),
        "lm_head.weight": ("BF16", (280, WIDTH)),
    }
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for name, rows in {"q_proj": 512, "k_proj": 128, "v_proj": 128, "o_proj": 512}.items():
            shapes[f"{at}.self_attn.{name}.weight"] = ("BF16", (rows, WIDTH))
            shapes[f"{at}.self_attn.{name}.bias"] = ("BF16", (rows,))
        shapes[f"{at}.self_attn.sinks"] = ("BF16", (8,))
        shapes[f"{at}.mlp.router.weight"] = ("BF16", (8, WIDTH))
        shapes[f"{at}.mlp.router.bias"] = ("BF16", (8,))
        for name, rows, columns in (
            ("gate_up_proj", 4 * 2048, WIDTH),
            ("down_proj", WIDTH, 2048 * 2),
        ):
            blocks = (8, rows, columns // 32)
            shapes[f"{at}.mlp.experts.{name}_blocks"] = ("U8", (*blocks, 16))
            shapes[f"{at}.mlp.experts.{name}_scales"] = ("U8", blocks)
            shapes[f"{at}.mlp.experts.{name}_bias"] = ("BF16", (8, rows))
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{at}.{name}.weight"] = ("BF16", (WIDTH,))
    return shapes


CASES: Mapping[str, Case] = {
    "as they are": Case(lambda: _llama("F16", ffn=2 * FFN)),
    "from 32 bits to 16": Case(lambda: _llama("F32"), "F16"),
    "from 16 bits to 32": Case(lambda: _llama("BF16"), "F32"),
    "of 8 bits": Case(
        _eight_bits,
        config={"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
    ),
    "experts that are merged": Case(
        _mixtral,
        config={
            "architectures": ["MixtralForCausalLM"],
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
        },
    ),
    "of 4 bits": Case(
        _four_bits,
        config={
            "architectures": ["GptOssForCausalLM"],
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "sliding_window": 64,
            "intermediate_size": 4096,
            "quantization_config": {"quant_method": "mxfp4"},
        },
    ),
    "torch's, turned": Case(lambda: _llama("F32"), is_pickled=True),
}


def _write(folder: Path, case: Case) -> None:
    folder.mkdir()
    shapes = case.shapes()
    config = {
        **LLAMA,
        "hidden_size": WIDTH,
        "intermediate_size": shapes.get("model.layers.0.mlp.up_proj.weight", ("", (2048,)))[1][0],
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
    }
    (folder / "config.json").write_text(json.dumps({**config, **case.config}))
    write_tokenizer(folder)
    if case.is_pickled:
        _write_pickled(folder / "pytorch_model.bin", shapes)
        return
    header, at = {}, 0
    for name, (kind, shape) in shapes.items():
        end = at + math.prod(shape) * _SIZES[kind]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    raw = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + at)


def _write_pickled(path: Path, shapes: Shapes) -> None:
    """All on one storage, matrices with their rows where others have columns."""
    most = max(math.prod(shape) for _, shape in shapes.values())
    views = {}
    for name, (_, shape) in shapes.items():
        strides = [1, shape[0]] if len(shape) == 2 else [1]
        views[name] = pack_view("0", most, shape, strides)
    write_zip(path, state_of(views), {"0": bytes(4 * most)})


def _now(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise ValueError(f"the system does not tell {name}")


def main(name: str, folder: Path) -> tuple[int, int, int]:
    """Bytes by which the peak is above what was there before the first tensor, bytes of the
    largest tensor as it is stored or written, and of all that were written.
    """
    case = CASES[name]
    _write(folder / "hf", case)
    target = folder / "a.gguf"
    before = 0
    sizes: list[int] = []

    def tell(done: int, total: int) -> None:
        nonlocal before
        if done == 0:
            sizes.extend(tensor.n_bytes for tensor in read_header(target).tensors)
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = _now("VmRSS")
        if done == total - 2:
            raise _Enough

    order = Order("model", str(folder / "hf"), str(target), case.kind, allow_pickle=True)
    with contextlib.suppress(_Enough):
        convert_model(order, tell)
    stored = max(math.prod(shape) * _SIZES[kind] for kind, shape in case.shapes().values())
    return _now("VmHWM") - before, max(stored, *sizes), sum(sizes)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))) + "\n")
