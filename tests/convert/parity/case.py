"""What a row of the table of tiny models says, and what most of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["BASE", "MLA", "PROMPT_LENGTH", "VOCAB", "WINDOW", "Case", "but", "case"]

VOCAB = 320
PROMPT_LENGTH = 41
WINDOW = 8


@dataclass(frozen=True)
class Case:
    """A model of transformers: its `model_type`, its class, and what its
    configuration differs in.
    """

    model_type: str
    architecture: str
    config: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str = "bytes"
    tolerance: float = 1e-3
    half_tolerance: float = 2e-2
    spread: float = 1.6
    """How large random matrices are: their standard deviation times the root of the width."""

    twin: str = ""
    """The class of transformers that computes the same, where there is none of the name."""

    scores: bool = False
    """Whether it gives scores of a whole text."""

    dense: tuple[int, ...] = ()
    """How wide the matrices are that its vectors go through, one behind the other."""

    whole: bool = False
    """Whether the mean of its vectors alone is compared: for its tokens the engine gives logits."""

    note: str = ""
    """Why the row is further off than others."""

    excuse: str = ""
    """Why the engine computes something else, whatever the conversion does."""


BASE: Mapping[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "tie_word_embeddings": False,
}
MLA: Mapping[str, Any] = {
    "num_key_value_heads": 4,
    "q_lora_rank": 32,
    "kv_lora_rank": 64,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
}
"""Attention of DeepSeek 2's kind, whose keys and values come of one small vector."""


def but(row: Case, **changes: Any) -> Case:
    """The row with other tolerances, or a note."""
    return replace(row, **changes)


def case(model_type: str, architecture: str, **config: Any) -> Case:
    """A row whose configuration is the common one, but for `config`."""
    return Case(model_type, architecture, {**BASE, **config})
