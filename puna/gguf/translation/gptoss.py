"""gpt-oss, which the reference calls `gptoss`.

Its first files have queries, keys and values in one tensor, and the rows of each expert's gate and
up-projection by turns in another.
"""

from __future__ import annotations

import math

from puna.errors import BadModelFile, quoted
from puna.gguf.translation.draft import Draft, Source

__all__ = ["text"]

_NEW = "gpt-oss"
_RENAMES = (
    (r"\.attn_out\.", ".attn_output."),
    (r"\.attn_sinks$", ".attn_sinks.weight"),
    (r"\.ffn_norm\.", ".post_attention_norm."),
)
_WIDE = (".bias", "norm.weight", ".attn_sinks.weight")
"""What the engine computes with only as F32."""


def text(source: Source) -> Draft:
    """The text model. Raises BadModelFile for what is missing or has an impossible shape."""
    draft = Draft(source)
    draft.rename_architecture(_NEW)
    for block in range(source.count("block_count")):
        for kind in ("weight", "bias"):
            if f"blk.{block}.attn_qkv.{kind}" in draft.tensors:
                _split_attention(draft, f"blk.{block}", kind)
            if f"blk.{block}.ffn_gate_up_exps.{kind}" in draft.tensors:
                _split_experts(draft, f"blk.{block}", kind)
    gate = draft.need("blk.0.ffn_gate_exps.weight").info.shape
    draft.default(f"{_NEW}.expert_feed_forward_length", (*gate, 0, 0)[1])
    draft.default(f"{_NEW}.rope.scaling.type", "yarn")
    draft.put("tokenizer.ggml.pre", "gpt-4o")
    draft.rename_all(_RENAMES)
    draft.widen(*(name for name in draft.tensors if name.endswith(_WIDE)))
    return draft


def _split_attention(draft: Draft, block: str, kind: str) -> None:
    source = draft.source
    made = draft.take(f"{block}.attn_qkv.{kind}")
    size = source.need("attention.key_length")
    heads = source.need("attention.head_count")
    kv_heads = source.need("attention.head_count_kv")
    *front, n_rows = made.info.shape or (0,)
    if n_rows != (heads + 2 * kv_heads) * size:
        raise BadModelFile(f"tensor {quoted(made.info.name)} has another number of rows")
    begin, width = 0, math.prod(front)
    for letter, count in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
        span = draft.part(made, begin * width, count * size * width)
        name = f"{block}.attn_{letter}.{kind}"
        draft.add(name, (*front, count * size), made.info.type_name, [span])
        begin += count * size


def _split_experts(draft: Draft, block: str, kind: str) -> None:
    made = draft.take(f"{block}.ffn_gate_up_exps.{kind}")
    shape = made.info.shape
    n_dims = 2 if kind == "bias" else 3
    if len(shape) != n_dims or shape[-2] % 2:
        raise BadModelFile(f"tensor {quoted(made.info.name)} does not hold rows by turns")
    width = math.prod(shape[:-2])
    shape = (*shape[:-2], shape[-2] // 2, shape[-1])
    for first, part in enumerate(("gate", "up")):
        span = draft.every(made, 2, first, width)
        draft.add(f"{block}.ffn_{part}_exps.{kind}", shape, made.info.type_name, [span])
