"""LLaVA: any text model behind an encoder; which one it is, the part of the text says."""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.families.registry import families
from puna.convert.family import Family
from puna.errors import UnsupportedArchitecture

_TEXTS = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def _text(config: Config) -> Family:
    """The family of the text model: Llama's, unless something else is said."""
    kind = config.part("text_config").text_of("model_type", "llama")
    if kind not in _TEXTS:
        raise UnsupportedArchitecture(f"{config.architecture} over {kind}", _TEXTS)
    return families()[_TEXTS[kind]]


FAMILIES = {"LlavaForConditionalGeneration": Family("llama", final=_text)}
