"""Text models of which only names differ: of the architecture, of a few keys and tensors."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from puna.errors import BadModelFile, quoted
from puna.gguf.translation.draft import Draft, Source
from puna.gguf.translation.target import Computed
from puna.gguf.types import ValueType
from puna.gguf.values import ArrayInfo, Plain, Value

__all__ = [
    "embedding_gemma",
    "gemma3n",
    "glm4_lite",
    "has_letters_for_bytes",
    "has_old_dt",
    "has_old_vocabulary",
    "has_split_experts",
    "is_embedding_gemma",
    "is_old_laguna",
    "is_old_nemotron",
    "laguna",
    "mixtral",
    "nemotron",
    "nemotron_omni",
    "olmo3",
    "qwen3_next",
    "xlm_r",
]

_PRE, _TOKENS = "tokenizer.ggml.pre", "tokenizer.ggml.tokens"
_TYPES, _CHARSMAP = "tokenizer.ggml.token_type", "tokenizer.ggml.precompiled_charsmap"
_BYTE, _BYTE_TOKEN = 6, re.compile("<0x[0-9A-F]{2}>")
_GEMMA = "gemma-embedding"
_LAGUNA_KEYS = ("dimension_count", "freq_base")


def olmo3(source: Source) -> Draft:
    """OLMo 3, which the engine takes for OLMo 2 with windows."""
    draft = Draft(source)
    draft.rename_architecture("olmo2")
    return draft


def is_embedding_gemma(source: Source) -> bool:
    """Whether a Gemma 3 is the one for vectors."""
    return "dense.0.weight" in source.tensors


def embedding_gemma(source: Source) -> Draft:
    """EmbeddingGemma, whose tokens see each other, and whose vectors go through two matrices."""
    draft = Draft(source)
    draft.rename_architecture(_GEMMA)
    for name in ("attention.causal", "attention.sliding_window_pattern"):
        draft.keys.pop(f"{_GEMMA}.{name}", None)
    draft.default(f"{_GEMMA}.rope.freq_base_swa", 10_000.0)
    for number in (0, 1):
        n_in, n_out = source.tensor(f"dense.{number}.weight").shape[:2]
        draft.put(f"{_GEMMA}.dense_{number + 2}_feat_in", n_in)
        draft.put(f"{_GEMMA}.dense_{number + 2}_feat_out", n_out)
    draft.rename(r"^dense\.0\.", "dense_2.")
    draft.rename(r"^dense\.1\.", "dense_3.")
    draft.rename(r"^norm\.weight$", "output_norm.weight")
    return draft


def has_old_vocabulary(source: Source) -> bool:
    """Whether a Gemma 3n has embeddings of more tokens than its layers know."""
    whole = source.tensors.get("token_embd.weight")
    each = source.tensors.get("per_layer_token_embd.weight")
    return bool(whole and each and whole.shape[-1:] > each.shape[-1:])


def gemma3n(source: Source) -> Draft:
    """Gemma 3n without the tokens that stand for images and sounds."""
    draft = Draft(source)
    draft.drop("a.", "v.", "mm.")
    draft.put("tokenizer.ggml.model", "llama")
    n_rows = source.tensor("per_layer_token_embd.weight").shape[-1]
    draft.cut_rows("token_embd.weight", n_rows)
    draft.fit_vocabulary()
    draft.put(_TYPES, Computed(ValueType.I32, lambda keys: _with_bytes(keys, n_rows)))
    return draft


def _with_bytes(keys: Mapping[str, Value], count: int) -> list[Plain]:
    """The kinds of the first tokens, of which those that are written as bytes are bytes."""
    tokens, kinds = keys.get(_TOKENS), keys.get(_TYPES)
    if not isinstance(tokens, tuple) or not isinstance(kinds, tuple):
        raise BadModelFile(f"key {quoted(_TYPES)} is missing")
    return [
        _BYTE if _BYTE_TOKEN.fullmatch(str(token)) else kind
        for token, kind in zip(tokens[:count], kinds[:count], strict=True)
    ]


def has_letters_for_bytes(source: Source) -> bool:
    """Whether the table of an XLM-R tokenizer is written in letters."""
    table = source.header.metadata.get(_CHARSMAP)
    return isinstance(table, ArrayInfo) and table.kind is ValueType.STRING


def xlm_r(source: Source) -> Draft:
    """Snowflake Arctic Embed 2, whose tokenizer's table is bytes."""
    draft = Draft(source)
    draft.put(_CHARSMAP, Computed(ValueType.U8, _decoded))
    return draft


def _decoded(keys: Mapping[str, Value]) -> bytes:
    table = keys.get(_CHARSMAP)
    letters = "".join(map(str, table)) if isinstance(table, tuple) else ""
    try:
        return base64.b64decode(letters, validate=True)
    except ValueError:
        raise BadModelFile(f"key {quoted(_CHARSMAP)} is not in base64") from None


def glm4_lite(source: Source) -> Draft:
    """GLM-4.7-Flash: DeepSeek's attention, whose compressed sizes the engine wants to be told."""
    draft = Draft(source)
    draft.rename_architecture("deepseek2")
    rank = source.need("attention.kv_lora_rank")
    size = source.need("attention.key_length")
    sizes = {
        "attention.head_count_kv": 1,
        "attention.key_length": rank + source.need("rope.dimension_count"),
        "attention.value_length": rank,
        "attention.key_length_mla": size,
        "attention.value_length_mla": size,
    }
    for name, value in sizes.items():
        draft.put(f"deepseek2.{name}", value)
    draft.default("deepseek2.expert_group_count", 1)
    draft.default("deepseek2.expert_group_used_count", 1)
    draft.put(_PRE, "glm4")
    ends = source.header.metadata.get("tokenizer.ggml.eos_token_ids")
    names = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
    for name, end in zip(names, ends[1:3] if isinstance(ends, tuple) else (), strict=False):
        if isinstance(end, int):
            draft.default(name, end)
    return draft


def is_old_nemotron(source: Source) -> bool:
    """Whether there are layers that guess further tokens, or names of a compressed network."""
    return source.has("mtp.") or any(".ffn_latent_in." in name for name in source.tensors)


def nemotron(source: Source) -> Draft:
    """Nemotron 3 without the layers that guess further tokens."""
    return _latent(Draft(source), source, source.architecture)


def nemotron_omni(source: Source) -> Draft:
    """The text model of Nemotron 3 Nano Omni."""
    draft = Draft(source)
    draft.drop("a.", "v.", "mm.")
    experts = source.keys.whole("expert_count") or source.keys.whole("expert_used_count")
    new = "nemotron_h_moe" if experts else "nemotron_h"
    draft.rename_architecture(new)
    return _latent(draft, source, new)


def _latent(draft: Draft, source: Source, architecture: str) -> Draft:
    draft.drop("mtp.")
    for name in source.tensors:
        if ".ffn_latent_in." in name:
            width = source.tensor(name).shape[-1]
            draft.default(f"{architecture}.moe_latent_size", width)
    draft.rename(r"\.ffn_latent_in\.", ".ffn_latent_down.")
    draft.rename(r"\.ffn_latent_out\.", ".ffn_latent_up.")
    return draft


def has_old_dt(source: Source) -> bool:
    """Whether a bias has a name without the word."""
    return any(name.endswith(".ssm_dt") for name in source.tensors)


def qwen3_next(source: Source) -> Draft:
    """Qwen3-Next."""
    draft = Draft(source)
    heads = source.wholes("attention.head_count_kv")
    if heads and max(heads) > 0:
        draft.put(f"{source.architecture}.attention.head_count_kv", max(heads))
    draft.rename(r"\.ssm_dt$", ".ssm_dt.bias")
    return draft


def has_split_experts(source: Source) -> bool:
    """Whether each expert has tensors of its own, as in the first files of Mixtral."""
    return "blk.0.ffn_gate.0.weight" in source.tensors


def mixtral(source: Source) -> Draft:
    """Early files of Mixtral."""
    draft = Draft(source)
    n_experts = source.count("expert_count")
    for block in range(source.count("block_count")):
        for part in ("gate", "down", "up"):
            names = [f"blk.{block}.ffn_{part}.{number}.weight" for number in range(n_experts)]
            if names[:1] and names[0] in draft.tensors:
                draft.stack(f"blk.{block}.ffn_{part}_exps.weight", names)
    return draft


def is_old_laguna(source: Source) -> bool:
    """Whether the gates of attention, or the keys of layers with windows, have other names."""
    has_keys = any(source.keys.find(f"rope.swa.{name}") is not None for name in _LAGUNA_KEYS)
    return has_keys or any(name.endswith(".attn_g.weight") for name in source.tensors)


def laguna(source: Source) -> Draft:
    """Laguna."""
    draft = Draft(source)
    for name in _LAGUNA_KEYS:
        draft.copy_key(f"laguna.rope.swa.{name}", f"laguna.rope.{name}_swa")
    draft.rename(r"\.attn_g\.weight$", ".attn_gate.weight")
    return draft
