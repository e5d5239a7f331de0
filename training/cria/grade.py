"""Whether an answer is right, by the check of its question. It knows nothing of models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from training.cria.corpus.sample import Json, Question

__all__ = ["Answer", "is_right"]

_UNKNOWING = re.compile(r"don't know|do not know|cannot answer|have no tool", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the text, the thought and the calls (name, arguments)."""

    text: str
    thought: str = ""
    calls: tuple[tuple[str, Json], ...] = ()


def is_right(question: Question, answer: Answer) -> bool:
    """Whether it passes the question's check, and thought exactly when it was told to."""
    if question.think != bool(answer.thought.strip()):
        return False
    return _CHECKS[str(question.check["kind"])](question.check, answer)


def _words(check: dict[str, Json], answer: Answer) -> bool:
    """One of each group's words stands in it, not inside a longer word's start."""
    groups = check["groups"]
    if not isinstance(groups, list) or _UNKNOWING.search(answer.text) or answer.calls:
        return False
    return all(isinstance(g, list) and any(_says(answer.text, str(w)) for w in g) for g in groups)


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<![a-z0-9_]){re.escape(word.lower())}", text.lower()) is not None


def _number(check: dict[str, Json], answer: Answer) -> bool:
    found = _NUMBER.findall(answer.text)
    return bool(found) and int(found[-1]) == check["value"] and not answer.calls


def _first_number(check: dict[str, Json], answer: Answer) -> bool:
    found = _NUMBER.findall(answer.text)
    return bool(found) and int(found[0]) == check["value"] and not answer.calls


def _refusal(check: dict[str, Json], answer: Answer) -> bool:
    return bool(_UNKNOWING.search(answer.text)) and not answer.calls


def _call(check: dict[str, Json], answer: Answer) -> bool:
    return answer.calls == ((str(check["name"]), check["arguments"]),)


def _no_call(check: dict[str, Json], answer: Answer) -> bool:
    return not answer.calls and bool(answer.text.strip()) and "<tool_call>" not in answer.text


def _said(check: dict[str, Json], answer: Answer) -> bool:
    return answer.text.strip() == check["text"] and not answer.calls


def _json(check: dict[str, Json], answer: Answer) -> bool:
    try:
        return bool(json.loads(answer.text) == check["value"]) and not answer.calls
    except ValueError:
        return False


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[.!?]\s+", text.strip()) if part.strip()]


def _story(check: dict[str, Json], answer: Answer) -> bool:
    """On the subject, long enough, with an end, and nothing said twice."""
    parts = _sentences(answer.text)
    whole = answer.text.rstrip().endswith((".", "!"))
    once = len(set(parts)) == len(parts)
    return _says(answer.text, str(check["subject"])) and 4 <= len(parts) <= 12 and whole and once


def _rhyme(check: dict[str, Json], answer: Answer) -> bool:
    lines = [line for line in answer.text.split("\n") if line.strip()]
    return len(lines) == 4 and len(set(lines)) == 4 and _says(answer.text, str(check["subject"]))


_CHECKS: dict[str, Callable[[dict[str, Json], Answer], bool]] = {
    "words": _words,
    "number": _number,
    "first_number": _first_number,
    "refusal": _refusal,
    "call": _call,
    "no_call": _no_call,
    "said": _said,
    "json": _json,
    "story": _story,
    "rhyme": _rhyme,
}
