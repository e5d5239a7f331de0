"""Llama and what is built like it: Mistral, Mixtral, and others that rotate heads by halves."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.family import Family, Keys
from puna.convert.keys import llama3_factors

_LLAMA = Family("llama", unrotate=True, more=llama3_factors)


def _arcee(config: Config) -> Keys:
    return {"rope.dimension_count": config.head_size}


def _both_ways(_config: Config) -> Keys:
    return {"attention.causal": False}


_MAKING = r"^model\.(?:vqmodel|generation_\w+)\."  # what draws images

FAMILIES = {
    "JanusForConditionalGeneration": Family(
        "llama", unrotate=True, more=llama3_factors, drop=_MAKING
    ),
    "LlamaForCausalLM": _LLAMA,
    "LLaMAForCausalLM": _LLAMA,
    "LlamaModel": Family("llama", unrotate=True, more=llama3_factors, prefix="model."),
    "LlamaBidirectionalModel": Family(
        "llama-embed", _both_ways, unrotate=True, more=llama3_factors, prefix="model."
    ),
    "MistralForCausalLM": _LLAMA,
    "MixtralForCausalLM": _LLAMA,
    "IQuestCoderForCausalLM": _LLAMA,
    "InternLM3ForCausalLM": _LLAMA,
    "VLlama3ForCausalLM": _LLAMA,
    "Sarashina2VisionForCausalLM": Family(
        "llama", unrotate=True, more=llama3_factors, drop=r"^norm\."
    ),
    "ArceeForCausalLM": Family("arcee", _arcee, unrotate=True),
}
