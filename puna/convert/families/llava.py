"""Any text model behind an encoder; which one it is, the part of the text says: LLaVA, InternVL,
Idefics 3 and SmolVLM, Qwen 2 Audio, Audio Flamingo 3; Voxtral without what hears.
"""

from __future__ import annotations

from puna.convert.config import Config
from puna.convert.families.registry import families
from puna.convert.family import Family
from puna.errors import UnsupportedArchitecture

_TEXTS = {
    "gpt_oss": "GptOssForCausalLM",
    "internlm2": "InternLM2ForCausalLM",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
}


def _text(config: Config) -> Family:
    """The family of the text model: Llama's, unless something else is said."""
    part = config.part("text_config" if "text_config" in config.top else "llm_config")
    kind = part.text_of("model_type", "llama")
    if kind not in _TEXTS:
        raise UnsupportedArchitecture(f"{config.architecture} over {kind}", _TEXTS)
    return families()[_TEXTS[kind]]


_ANY = Family("llama", final=_text)

FAMILIES = {
    "AudioFlamingo3ForConditionalGeneration": _ANY,
    "Idefics3ForConditionalGeneration": _ANY,
    "InternVLChatModel": _ANY,
    "InternVLForConditionalGeneration": _ANY,
    "LightOnOCRForConditionalGeneration": _ANY,
    "LightOnOcrForConditionalGeneration": _ANY,
    "LlavaForConditionalGeneration": _ANY,
    "Qwen2AudioForConditionalGeneration": _ANY,
    "SmolVLMForConditionalGeneration": _ANY,
    "VoxtralForConditionalGeneration": _ANY,
}
