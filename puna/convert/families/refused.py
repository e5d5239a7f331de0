"""Architectures that llama.cpp or Ollama convert and Puna does not, by the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["REFUSED", "reason_of"]

_NOT_YET = "it is not converted yet"

REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "it reads a whole text before it writes another, and such models are not run": (
            "MT5ForConditionalGeneration T5ForConditionalGeneration T5WithLMHeadModel"
            " UMT5ForConditionalGeneration UMT5Model"
        ),
        "it writes all of a text at once, in several passes, and such models are not run": (
            "DreamModel LLaDAMoEModel LLaDAMoEModelLM LLaDAModelLM RND1"
        ),
        "it hears or speaks in a way that is not converted": (
            "Lfm25AudioTokenizer PocketTTSModel Qwen3TTSForConditionalGeneration UltravoxModel"
            " WavTokenizerDec"
        ),
        "it guesses tokens for another model by that model's inner values": (
            "DFlash2DraftModel DFlashDraftModel DSparkDraftModel DSparkSpeculator"
            " DeepseekV4DSparkModel Eagle3DraftModel Eagle3LlamaForCausalLM Eagle3Speculator"
            " Gemma4AssistantForCausalLM Gemma4DSparkModel Gemma4UnifiedAssistantForCausalLM"
            " Lfm2DSparkDraftModel LingDSparkModel LlamaForCausalLMEagle3"
            " MuseGlimmerAssistantModel Qwen3DSparkModel"
        ),
        "its head has ReLU, where the engine has tanh": ("DistilBertForSequenceClassification"),
        "its networks have the square of ReLU, where the engine has SiLU": ("BitNetForCausalLM"),
        "its tokenizer is of a kind of its own, which is not read": (
            "PLaMo2ForCausalLM PLaMo3ForCausalLM Plamo2ForCausalLM Plamo3ForCausalLM"
        ),
        "the engine shows its small experts what its large ones made, not what they see": (
            "GroveMoeForCausalLM"
        ),
        _NOT_YET: (
            "BailingMoeV3ForCausalLM BailingMoeV3VLForConditionalGeneration ChameleonForCausalLM"
            " ChameleonForConditionalGeneration CodeShellForCausalLM CogVLMForCausalLM"
            " DeepseekV4ForCausalLM Dots3NoteForCausalLM Dots3NoteForConditionalGeneration"
            " Dots3NoteTextForCausalLM GPTRefactForCausalLM Glm5NextForConditionalGeneration"
            " GraniteSwitchForCausalLM Grok1ForCausalLM GrokForCausalLM HYV4ForCausalLM"
            " HrmTextForCausalLM JAISLMHeadModel KimiK3ForConditionalGeneration MapleForCausalLM"
            " MiniMaxM1ForCausalLM MiniMaxM3SparseForCausalLM"
            " MiniMaxM3SparseForConditionalGeneration MiniMaxText01ForCausalLM"
            " MuseGlimmerForConditionalGeneration NemotronHPuzzleForCausalLM Qwen4ExpForCausalLM"
            " Qwen4ExpForConditionalGeneration RWKV6Qwen2ForCausalLM RuGPT3XLForCausalLM"
            " RwkvHybridForCausalLM Spark2_5ForCausalLM Step3p5ForCausalLM"
            " Step3p7ForConditionalGeneration TalkieForCausalLM"
        ),
    }
)
"""Names, a space between them, by why they are not converted."""


def reason_of(architecture: str) -> str:
    """Why it is not converted; empty where nothing is known of it."""
    for reason, names in REFUSED.items():
        if architecture in names.split():
            return reason
    return ""
