"""What a model wrote, taken apart into thought, calls and text."""

from __future__ import annotations

import json
import re

from training.cria.corpus.sample import Json
from training.cria.grade import Answer

__all__ = ["parse_answer"]

_CALL = re.compile(r"<tool_call>\n?(.*?)\n?</tool_call>", re.DOTALL)


def parse_answer(text: str, *, thinking: bool) -> Answer:
    """`thinking`: the prompt opened a thought, and the text goes on inside it."""
    thought = ""
    if thinking:
        thought, _, text = text.partition("</think>")
    calls: list[tuple[str, Json]] = []
    for body in _CALL.findall(text):
        try:
            made = json.loads(body)
            calls.append((made["name"], made["arguments"]))
        except (ValueError, KeyError, TypeError):
            return Answer(text.strip(), thought)
    return Answer(_CALL.sub("", text).strip(), thought, tuple(calls))
