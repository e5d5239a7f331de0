"""Tiny checkpoints as Hugging Face's libraries write them, without those libraries."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LLAMA", "llama_weights", "make_checkpoint", "write_safetensors", "write_tokenizer"]

LLAMA: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "vocab_size": 280,
}

_KINDS = {"float32": "F32", "float16": "F16", "uint16": "BF16", "uint8": "F8_E4M3", "int32": "I32"}


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """A file of these tensors; unsigned ones stand for bfloat16 and 8-bit floats."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, values in tensors.items():
        header[name] = {
            "dtype": _KINDS[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [at, at + values.nbytes],
        }
        at += values.nbytes
    raw = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values).tobytes())


def llama_weights(seed: int = 0) -> dict[str, NDArray[Any]]:
    """Weights of LLAMA, random but for the norms."""
    random = np.random.default_rng(seed)
    shapes = {
        "self_attn.q_proj": (32, 32),
        "self_attn.k_proj": (16, 32),
        "self_attn.v_proj": (16, 32),
        "self_attn.o_proj": (32, 32),
        "mlp.gate_proj": (48, 32),
        "mlp.up_proj": (48, 32),
        "mlp.down_proj": (32, 48),
    }
    tensors: dict[str, NDArray[Any]] = {
        "model.embed_tokens.weight": random.normal(size=(280, 32)),
        "model.norm.weight": np.ones(32),
        "lm_head.weight": random.normal(size=(280, 32)),
    }
    for layer in range(2):
        for name, shape in shapes.items():
            tensors[f"model.layers.{layer}.{name}.weight"] = random.normal(size=shape) * 0.2
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{name}.weight"] = np.ones(32)
    return {name: values.astype(np.float32) for name, values in tensors.items()}


def write_tokenizer(folder: Path, **changes: Any) -> None:
    """A tokenizer.json of the 256 bytes and two special tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in letters]
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    tokens = ["<s>", "</s>", *(letters[byte] for byte in range(256)), "th", "the"]
    state: dict[str, Any] = {
        "added_tokens": [
            {"id": number, "content": tokens[number], "special": True} for number in range(2)
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {
            "type": "BPE",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": ["t h", "th e"],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(state | changes))


def make_checkpoint(
    folder: Path,
    weights: Mapping[str, NDArray[Any]] | None = None,
    **config: Any,
) -> Path:
    """A folder that converts: LLAMA, but for what is changed."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", llama_weights() if weights is None else weights)
    (folder / "config.json").write_text(json.dumps({**LLAMA, **config}))
    write_tokenizer(folder)
    return folder
