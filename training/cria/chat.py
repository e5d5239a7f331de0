"""A sample as the text that training and serving share: the chat template, and what is learnt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, Template

from training.cria.corpus.sample import Json, Sample, Turn

__all__ = ["BEGIN", "END", "SPECIAL", "TEMPLATE_FILE", "USER_DEFINED", "Piece", "pieces", "prompt"]

TEMPLATE_FILE = Path(__file__).parent / "chat_template.jinja"
BEGIN, END = "<|begin|>", "<|end|>"
SPECIAL = (BEGIN, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
USER_DEFINED = ("<think>", "</think>", "<tool_call>", "</tool_call>")

_ANSWER = re.compile(r"(?<=<\|assistant\|>)(.*?<\|end\|>)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a rendered sample; `learnt`: the model must say it."""

    text: str
    learnt: bool


@cache
def _template() -> Template:
    # the settings of the engines that serve it
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(TEMPLATE_FILE.read_text())


def _render(
    turns: tuple[Turn, ...], tools: list[Json], *, think: bool | None, generate: bool
) -> str:
    given = {} if think is None else {"enable_thinking": think}
    return _template().render(
        messages=[turn.message() for turn in turns],
        tools=tools or None,
        bos_token=BEGIN,
        eos_token=END,
        add_generation_prompt=generate,
        **given,
    )


def prompt(sample: Sample) -> str:
    """The text the model goes on from to write the sample's last turn."""
    tools: list[Json] = [tool.declared() for tool in sample.tools]
    return _render(sample.turns[:-1], tools, think=sample.think, generate=True)


def pieces(sample: Sample) -> list[Piece]:
    """The sample's text in parts, learnt and given ones in turn."""
    tools: list[Json] = [tool.declared() for tool in sample.tools]
    whole = _render(sample.turns, tools, think=sample.think, generate=False)
    if not sample.think:
        return [Piece(t, i % 2 == 1) for i, t in enumerate(_ANSWER.split(whole)) if t]
    answer = _ANSWER.findall(whole)[-1]
    return [
        Piece(prompt(sample), False),
        Piece(f"{sample.answer.thought}\n</think>\n\n{answer}", True),
    ]
