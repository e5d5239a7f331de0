"""Tiny random encoders of BERT's shape: for vectors, and for the scores of a reranker."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.fakes.ggufs import BLANK, WORDS
from tests.fakes.shapes import Array, write_model

__all__ = ["BERT_WIDTH", "make_tiny_bert", "make_tiny_reranker"]

BERT_WIDTH = 32
_LAYERS, _HEADS, _FFN = 2, 2, 64
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_CONTROL, _NORMAL = 3, 1


def make_tiny_bert(
    path: Path,
    *,
    pooling: gguf.PoolingType | None = gguf.PoolingType.MEAN,
    n_ctx: int = 128,
    seed: int = 0,
) -> Path:
    """Write a random two-layer BERT. Its words are those of the tiny Llama, and single letters."""
    return _write(path, pooling, n_ctx, seed, {}, [])


def make_tiny_reranker(path: Path, *, n_ctx: int = 128, seed: int = 0, labels: int = 1) -> Path:
    """Write a random BERT with a classification head: `labels` scores for each pair of texts."""
    draw = np.random.default_rng(seed + 1)

    def normal(*shape: int) -> Array:
        return (draw.normal(size=shape) * 0.3).astype(np.float32)

    head = {
        "cls.weight": normal(BERT_WIDTH, BERT_WIDTH),
        "cls.bias": normal(BERT_WIDTH),
        "cls.output.weight": normal(labels, BERT_WIDTH),
        "cls.output.bias": normal(labels),
    }
    names = [f"label {number}" for number in range(labels)]
    return _write(path, gguf.PoolingType.RANK, n_ctx, seed, head, names)


def _write(
    path: Path,
    pooling: gguf.PoolingType | None,
    n_ctx: int,
    seed: int,
    head: dict[str, Array],
    labels: list[str],
) -> Path:
    tokens = _vocabulary()
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(BERT_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FFN)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    if labels:
        writer.add_classifier_output_labels(labels)
    writer.add_vocab_size(len(tokens))
    writer.add_token_type_count(2)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([_CONTROL if token in _SPECIAL else _NORMAL for token in tokens])
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    return write_model(writer, _weights(len(tokens), n_ctx, seed) | head, path)


def _vocabulary() -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz.,"
    words = [word.lower() for word in WORDS.split()]
    pieces = [*letters, *(BLANK + letter for letter in letters), *(BLANK + word for word in words)]
    return [*_SPECIAL, *dict.fromkeys(pieces)]


def _weights(n_vocab: int, n_ctx: int, seed: int) -> dict[str, Array]:
    draw = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return (draw.normal(size=shape) * 0.3).astype(np.float32)

    ones, zeros = np.ones(BERT_WIDTH, np.float32), np.zeros(BERT_WIDTH, np.float32)
    weights = {
        "token_embd.weight": normal(n_vocab, BERT_WIDTH),
        "token_types.weight": normal(2, BERT_WIDTH),
        "position_embd.weight": normal(n_ctx, BERT_WIDTH),
        "token_embd_norm.weight": ones,
        "token_embd_norm.bias": zeros,
    }
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights[f"{block}.{name}.weight"] = normal(BERT_WIDTH, BERT_WIDTH)
            weights[f"{block}.{name}.bias"] = normal(BERT_WIDTH)
        weights |= {
            f"{block}.attn_output_norm.weight": ones,
            f"{block}.attn_output_norm.bias": zeros,
            f"{block}.ffn_up.weight": normal(_FFN, BERT_WIDTH),
            f"{block}.ffn_up.bias": normal(_FFN),
            f"{block}.ffn_down.weight": normal(BERT_WIDTH, _FFN),
            f"{block}.ffn_down.bias": normal(BERT_WIDTH),
            f"{block}.layer_output_norm.weight": ones,
            f"{block}.layer_output_norm.bias": zeros,
        }
    return weights
