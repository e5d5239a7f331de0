"""A cria GGUF read back into a checkpoint and a tokenizer that a training goes on from.

The optimisers start anew, and Q8_0 has rounded the weights: a few hundred steps make up for both.

    python -m training.cria.restore --gguf puna/models/bundled/cria/cria.gguf --out build/cria
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf.quants import dequantize

from training.cria.chat import SPECIAL, USER_DEFINED
from training.cria.model import Cria, Shape
from training.cria.tokenizer import assemble

__all__ = ["main", "read_model", "read_tokenizer"]

_BUNDLED = Path("puna/models/bundled/cria/cria.gguf")
_SIZES = {
    "hidden_size": "embedding_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "intermediate_size": "feed_forward_length",
    "max_position_embeddings": "context_length",
}


_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}


def main() -> None:
    """Read the command line and write `tokenizer.json` and `checkpoint.pt`."""
    parser = argparse.ArgumentParser(description="Make a checkpoint of a cria GGUF.")
    parser.add_argument("--gguf", type=Path, default=_BUNDLED)
    parser.add_argument("--out", type=Path, default=Path("build/cria"))
    args = parser.parse_args()
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        parser.error(f"{checkpoint} is there already: move it away or name another --out")
    reader = gguf.GGUFReader(args.gguf)
    model = read_model(reader)
    args.out.mkdir(parents=True, exist_ok=True)
    assemble(*read_tokenizer(reader)).save(str(args.out / "tokenizer.json"))
    state = {
        "shape": dataclasses.asdict(model.shape),
        "model": model.state_dict(),
        "progress": [0, 0, 0, 0.0],
    }
    torch.save(state, checkpoint)


def read_model(reader: gguf.GGUFReader) -> Cria:
    """The network in float32. Raises ValueError when the file is not of cria's shape."""
    if _field(reader, "general.architecture") != "qwen3":
        raise ValueError("not a cria: its architecture is not qwen3")
    sizes = {ours: int(_field(reader, f"qwen3.{theirs}")) for ours, theirs in _SIZES.items()}
    shape = Shape(
        vocab_size=len(_field(reader, "tokenizer.ggml.tokens")),
        rope_theta=float(_field(reader, "qwen3.rope.freq_base")),
        rms_norm_eps=float(_field(reader, "qwen3.attention.layer_norm_rms_epsilon")),
        **sizes,
    )
    model = Cria(shape)
    found = {tensor.name: tensor for tensor in reader.tensors}
    state = {}
    for name, wanted in model.state_dict().items():
        tensor = found.pop(_gguf_name(name), None)
        if tensor is None:
            raise ValueError(f"not a cria: it has no tensor {_gguf_name(name)}")
        values = torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        state[name] = values.reshape(wanted.shape)
    if found:
        raise ValueError(f"not a cria: it has a tensor {min(found)}")
    model.load_state_dict(state)
    return model


def read_tokenizer(reader: gguf.GGUFReader) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary without its marks, and the merges. Raises ValueError when marks are others."""
    tokens: list[str] = _field(reader, "tokenizer.ggml.tokens")
    marks = (*SPECIAL, *USER_DEFINED)
    if tuple(tokens[: len(marks)]) != marks:
        raise ValueError("not a cria: its tokens do not begin with cria's marks")
    merges = []
    for line in _field(reader, "tokenizer.ggml.merges"):
        left, right = line.split(" ")
        merges.append((left, right))
    return {token: at for at, token in enumerate(tokens[len(marks) :])}, merges


def _field(reader: gguf.GGUFReader, name: str) -> Any:
    """The value of a key of the file. Raises ValueError when there is none."""
    field = reader.get_field(name)
    if field is None:
        raise ValueError(f"not a cria: it has no {name}")
    return field.contents()


def _gguf_name(name: str) -> str:
    """The name in a GGUF of a tensor of the model's state."""
    fixed = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
    if name in fixed:
        return fixed[name]
    _, number, rest = name.split(".", 2)
    return f"blk.{number}.{_NAMES[rest.removesuffix('.weight')]}.weight"


if __name__ == "__main__":
    main()
