"""Random models of real shapes for measurements: the shape matters, the weights do not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

from bench.blocks import random_blocks

__all__ = ["FIRST_WORD", "LARGE", "SHAPES", "SMALL", "TINY", "Shape", "cached_model", "make_model"]

CACHE = Path.home() / ".cache" / "puna-bench"
_RECIPE = 1  # in the names of cached files: count it up when `make_model` changes


@dataclass(frozen=True)
class Shape:
    """A Llama's dimensions."""

    name: str
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_vocab: int
    n_ctx: int = 8192
    medium: bool = False
    """Quantised like Q4_K_M, the embedding also gives the output; otherwise Q8_0 throughout."""


TINY = Shape("4M", 128, 2, 2, 2, 256, 16_384)
SMALL = Shape("100M", 768, 12, 12, 4, 2048, 16_384)
LARGE = Shape("1B", 2048, 16, 32, 8, 8192, 128_256, medium=True)
SHAPES = {shape.name: shape for shape in (SMALL, LARGE)}


def cached_model(shape: Shape) -> Path:
    """The random model of this shape in the user's cache folder, made when it is not there yet."""
    path = CACHE / f"{shape.name}-{_RECIPE}.gguf"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = make_model(path.with_suffix(f".{os.getpid()}"), shape)
        unfinished.replace(path)
    return path


FIRST_WORD = 259
"""The tokens before it are specials and bytes."""


def make_model(path: Path, shape: Shape, *, seed: int = 0, counts: bool = False) -> Path:
    """Write a random Llama of this shape with f32 norms; texts are bytes and filler words.

    The same shape and seed give the same bytes. One that `counts` (in Q8_0 only) says the next
    token of the vocabulary after each, whatever came before.
    """
    draw = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (draw.standard_normal((rows, columns)) * 0.02).astype(np.float32)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_layer)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.n_embd // shape.n_head)
    _add_vocabulary(writer, shape.n_vocab)
    kv = shape.n_embd * shape.n_head_kv // shape.n_head
    tensors = {
        "token_embd.weight": (shape.n_vocab, shape.n_embd),
        "output.weight": (shape.n_vocab, shape.n_embd),
    }
    for layer in range(shape.n_layer):
        tensors |= {
            f"blk.{layer}.attn_q.weight": (shape.n_embd, shape.n_embd),
            f"blk.{layer}.attn_k.weight": (kv, shape.n_embd),
            f"blk.{layer}.attn_v.weight": (kv, shape.n_embd),
            f"blk.{layer}.attn_output.weight": (shape.n_embd, shape.n_embd),
            f"blk.{layer}.ffn_gate.weight": (shape.n_ff, shape.n_embd),
            f"blk.{layer}.ffn_up.weight": (shape.n_ff, shape.n_embd),
            f"blk.{layer}.ffn_down.weight": (shape.n_embd, shape.n_ff),
        }
    if shape.medium:
        del tensors["output.weight"]
    for name, (rows, columns) in tensors.items():
        kind = _kind(shape, name)
        if kind is not Kind.Q8_0:
            writer.add_tensor(name, random_blocks(draw, kind, rows, columns), raw_dtype=kind)
            continue
        weights = matrix(rows, columns)
        if counts and name == "token_embd.weight":
            weights *= 50  # louder than what the layers add
            embedding = weights
        elif counts and name == "output.weight":
            weights = np.roll(embedding, 1, axis=0)
        writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)
    norms = ["output_norm.weight"]
    for layer in range(shape.n_layer):
        norms += [f"blk.{layer}.attn_norm.weight", f"blk.{layer}.ffn_norm.weight"]
    for name in norms:
        writer.add_tensor(name, np.ones(shape.n_embd, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _kind(shape: Shape, name: str) -> Kind:
    """The medium mix: six bits for the embedding and what matters most in half of the layers."""
    if not shape.medium:
        return Kind.Q8_0
    if name == "token_embd.weight":
        return Kind.Q6_K
    _, layer, tensor, _ = name.split(".")
    eighth = shape.n_layer // 8
    number = int(layer)
    finer = number < eighth or number >= 7 * eighth or (number - eighth) % 3 == 2
    return Kind.Q6_K if finer and tensor in {"attn_v", "ffn_down"} else Kind.Q4_K


def _add_vocabulary(writer: gguf.GGUFWriter, n_vocab: int) -> None:
    """One token for each byte, the rest are words that no text contains; no end token."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [f"\u2581w{number}" for number in range(n_vocab - FIRST_WORD)]
    types = [2, 3, 3, *([6] * 256), *([1] * (n_vocab - FIRST_WORD))]
    writer.add_vocab_size(n_vocab)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * n_vocab)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_add_bos_token(True)
