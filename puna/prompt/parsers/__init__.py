"""How model families write thoughts and tool calls: one scanner, one small file a family.

This is the one table from names to families. Facts: prompting spec, 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from puna.prompt.parsers import (
    cohere,
    deepseek,
    gemma,
    glm,
    harmony,
    liquid,
    mistral,
    olmo,
    qwen,
)
from puna.prompt.parsers.family import Family, Turn
from puna.prompt.parsers.scanner import Scanner

__all__ = ["MARKS", "NAMED", "Family", "Marks", "Scanner", "Turn", "by_marks", "by_name"]

NAMED = {
    "qwen3-coder": qwen.QWEN3_CODER,
    "qwen3": qwen.QWEN3,
    "qwen3-thinking": qwen.QWEN3_THINKING,
    "qwen3-vl-instruct": qwen.QWEN3_VL,
    "qwen3-vl-thinking": qwen.QWEN3_VL_THINKING,
    "qwen3.5": qwen.QWEN35,
    "ornith": qwen.QWEN35,
    "nemotron-3-nano": qwen.QWEN35,
    "nemotron-3.5-nano": qwen.QWEN35,
    "cogito": deepseek.COGITO,
    "deepseek3": deepseek.DEEPSEEK3,
    "glm-4.7": glm.GLM,
    "glm-ocr": glm.GLM_OCR,
    "ministral": mistral.MINISTRAL,
    "harmony": harmony.HARMONY,
    "gemma4": gemma.GEMMA4,
    "gemma4-no-thinking": gemma.GEMMA4_NO_THINKING,
    "functiongemma": gemma.FUNCTION_GEMMA,
    "lfm2": liquid.LFM2,
    "lfm2-thinking": liquid.LFM2_THINKING,
    "olmo3": olmo.OLMO3,
    "olmo3-think": olmo.OLMO3_THINK,
    "cohere": cohere.COHERE,
}
"""The manifest's `parser`."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a chat template of a family's shows."""

    texts: tuple[str, ...]
    family: Family
    thinking: str = ""
    """Shows that the model thinks, where that is not between `<think>` tags."""
    is_framed: bool = False
    """Answers are written in the family's form also where there are no tools."""

    def thinks(self, chat_template: str) -> bool:
        """Whether the template is a thinking model's."""
        return bool(self.thinking) and self.thinking in chat_template


MARKS = (
    Marks(("<|start|>", "<|channel|>"), harmony.HARMONY, "<|channel|>", is_framed=True),
    Marks(("<arg_key>", "<tool_call>"), glm.GLM),
    Marks(("<function=", "<tool_call>"), qwen.QWEN35),
    Marks(("<｜tool▁calls▁begin｜>",), deepseek.DEEPSEEK3),
    Marks(("[TOOL_CALLS]",), mistral.MISTRAL, "[THINK]", is_framed=True),
    Marks(("<|tool_call>", "<|channel>"), gemma.GEMMA4, "<|channel>", is_framed=True),
    Marks(("<start_function_call>",), gemma.FUNCTION_GEMMA),
    Marks(("<|tool_call_start|>",), liquid.LFM2_THINKING),
    Marks(("<function_calls>", "environment"), olmo.OLMO3),
    Marks(("<|START_ACTION|>",), cohere.COHERE, "<|START_THINKING|>", is_framed=True),
    Marks(("Action:", "tool_name"), cohere.COMMAND_R),
)
"""The first whose texts a chat template has tells its family."""


def by_name(name: str) -> Family | None:
    """The family that a manifest's `parser` names; None for a name that nobody knows."""
    return NAMED.get(name)


def by_marks(chat_template: str) -> Marks | None:
    """The family whose marks a Jinja template has."""
    return next((each for each in MARKS if all(text in chat_template for text in each.texts)), None)
