"""How model families write thoughts and tool calls: one scanner, one small file a family.

This is the one table from names to families. Facts: prompting spec, 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from puna.prompt.parsers import (
    arrays,
    cohere,
    deepseek,
    gemma,
    glimmer,
    glm,
    harmony,
    invoke,
    kimi,
    laguna,
    liquid,
    llama,
    mistral,
    olmo,
    qwen,
    seed,
)
from puna.prompt.parsers.family import Family, Kind, Mode, Turn
from puna.prompt.parsers.scanner import Scanner

__all__ = ["MARKS", "NAMED", "Family", "Marks", "Scanner", "Turn", "by_marks", "by_name"]

PASSTHROUGH = Family(
    {"content": Mode(Kind.CONTENT, trims=False)}, lambda turn: "content", has_tools=False
)

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
    "laguna": laguna.LAGUNA,
    "poolside-v1": laguna.POOLSIDE,
    "glimmer": glimmer.GLIMMER,
    "passthrough": PASSTHROUGH,
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
    Marks(("<|tool_list_start|>",), liquid.LFM2_THINKING),
    Marks(("<function_calls>", "environment"), olmo.OLMO3),
    Marks(("<|START_ACTION|>",), cohere.COHERE, "<|START_THINKING|>", is_framed=True),
    Marks(("<atem:function_calls>", "<|start|>"), glimmer.GLIMMER, "to=self", is_framed=True),
    Marks(("<|tool_calls_section_begin|>",), kimi.KIMI_K2),
    Marks(("<minimax:tool_call>",), invoke.MINIMAX),
    Marks(("｜DSML｜", "function_calls"), invoke.DEEPSEEK32),
    Marks(("<tool_calls>", "</tool_calls>"), invoke.MINIMAX_M1),
    Marks(("<TOOLCALL>",), arrays.NEMOTRON_NANO2),
    Marks(("<|tool|>", "<|/tool|>"), arrays.PHI4),
    Marks(("<|tool_call|>",), arrays.GRANITE3),
    Marks(("<|python_tag|>", ".call("), llama.LLAMA3),
    Marks(('{"name": function name, "parameters": ',), llama.LLAMA3),
    Marks(("<seed:tool_call>",), seed.SEED_OSS, "<seed:think>"),
    Marks(("Action:", "tool_name"), cohere.COMMAND_R),
)
"""The first whose texts a chat template has tells its family."""


def by_name(name: str) -> Family | None:
    """The family that a manifest's `parser` names; None for a name that nobody knows."""
    return NAMED.get(name)


def by_marks(chat_template: str) -> Marks | None:
    """The family whose marks a Jinja template has."""
    return next((each for each in MARKS if all(text in chat_template for text in each.texts)), None)
