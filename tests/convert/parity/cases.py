"""The table of tiny models, one or more for each architecture. Nothing here needs torch.

Sizes are such that faults show: more query heads than key heads, a window shorter than the prompt,
experts that differ in number from those used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["CASES", "PROMPT_LENGTH", "VOCAB", "Case"]

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


_BASE = {
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
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}


def _case(model_type: str, architecture: str, **config: Any) -> Case:
    return Case(model_type, architecture, {**_BASE, **config})


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "llama": _case("llama", "LlamaForCausalLM", rope_parameters=_LLAMA3),
        "llama, tied, wide heads": _case(
            "llama", "LlamaForCausalLM", tie_word_embeddings=True, head_dim=32
        ),
        "mistral": _case("mistral", "MistralForCausalLM", sliding_window=None),
        "mixtral": _case(
            "mixtral", "MixtralForCausalLM", num_local_experts=4, num_experts_per_tok=2
        ),
        "qwen2": _case("qwen2", "Qwen2ForCausalLM"),
        "qwen3": _case("qwen3", "Qwen3ForCausalLM", head_dim=32),
        "qwen2-moe": _case(
            "qwen2_moe",
            "Qwen2MoeForCausalLM",
            shared_expert_intermediate_size=80,
            **_MOE,
        ),
        "qwen3-moe": _case(
            "qwen3_moe", "Qwen3MoeForCausalLM", head_dim=32, norm_topk_prob=True, **_MOE
        ),
        "gemma": _case("gemma", "GemmaForCausalLM", head_dim=32, tie_word_embeddings=True),
        "gemma2": _case(
            "gemma2",
            "Gemma2ForCausalLM",
            head_dim=16,
            query_pre_attn_scalar=16,
            sliding_window=WINDOW,
            tie_word_embeddings=True,
        ),
        "gemma3": _case(
            "gemma3_text",
            "Gemma3ForCausalLM",
            head_dim=16,
            query_pre_attn_scalar=16,
            num_hidden_layers=7,
            sliding_window=WINDOW,
            tie_word_embeddings=True,
        ),
        "bert": Case(
            "bert",
            "BertModel",
            {**_BASE, "num_key_value_heads": None, "type_vocab_size": 2, "hidden_act": "gelu"},
            tokenizer="words",
            tolerance=5e-3,
        ),
    }
)
