"""Tool calls: which declared tool fits, arguments copied out of the request, and results told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from training.cria.corpus import arithmetic, facts, words, world
from training.cria.corpus.phrasing import capitalised
from training.cria.corpus.sample import Json, Question, Rng, Sample, Tool, Turn, pick
from training.cria.corpus.tables import spaced
from training.cria.corpus.tool_tasks import among, held_task, others, task
from training.cria.corpus.tool_values import spelt, value_of

__all__ = ["NO_TOOL", "held", "make"]

NO_TOOL = "I have no tool for that."


def make(rng: Rng, *, think: bool) -> Sample:
    """A training conversation with tools."""
    roll = rng.random()
    if roll < 0.62:
        return _calling(rng, think)
    if roll < 0.7:
        return _from_result(rng, think)
    return _not_calling(rng, think)


def _calling(rng: Rng, think: bool) -> Sample:
    wanted = task(rng)
    tools = _shuffled(rng, among(rng, wanted))
    calls = (wanted.call,) if wanted.again is None else (wanted.call, wanted.again)
    thought = f"The tool {wanted.call.name} fits."
    turns = (*_before(rng), Turn("user", wanted.request), Turn("assistant", "", calls, thought))
    return Sample("tools", turns, tools, think)


def _shuffled(rng: Rng, tools: Iterable[Tool]) -> tuple[Tool, ...]:
    mixed = list(tools)
    rng.shuffle(mixed)
    return tuple(mixed)


def _before(rng: Rng) -> list[Turn]:
    """Sometimes a system prompt comes first."""
    if rng.random() < 0.85:
        return []
    text = pick(rng, ("You are a helpful assistant.", "Use the tools when they help.",
                      "You are cria.", "Be brief.", "Answer with the tools you have."))  # fmt: skip
    return [Turn("system", text)]


_RESULT_KEYS = spaced(
        "temperature condition price status count time result name size weight distance speed "
        "level color owner title date total rating number answer place language version score"
    )  # fmt: skip


def _from_result(rng: Rng, think: bool) -> Sample:
    """A call, its result, and the answer that the result gives."""
    asked = task(rng)
    while asked.again is not None:
        asked = task(rng)
    result, answer = _result(rng, list({_key(rng): None for _ in range(5)}))
    turns = [
        *_before(rng),
        Turn("user", asked.request),
        Turn("assistant", "", (asked.call,)),
        Turn("tool", result),
        Turn("assistant", answer, thought="The tool gave the result."),
    ]
    return Sample("tools", tuple(turns), _shuffled(rng, among(rng, asked)), think)


def _key(rng: Rng) -> str:
    roll = rng.random()
    return pick(rng, _RESULT_KEYS) if roll < 0.4 else words.word(rng).lower()


def _result(rng: Rng, names: Sequence[str]) -> tuple[str, str]:
    """A tool's result, as JSON or text, and the sentence said of it."""
    if rng.random() < 0.3:
        value = spelt(value_of(rng, pick(rng, ("word", "number", "phrase", "city")), (), new=False))
        return value, f"The result is {value}."
    if rng.random() < 0.15:
        error = pick(rng, ("not found", "timeout", "no access", "unknown id", "service is down"))
        return json.dumps({"error": error}), f"The tool failed: {error}."
    keys = rng.sample(names, min(rng.randrange(1, 4), len(names)))
    kinds = ("word", "number", "phrase", "name", "city")
    values = {key: value_of(rng, pick(rng, kinds), (), new=False) for key in keys}
    said = [f"the {key.replace('_', ' ')} is {spelt(value)}" for key, value in values.items()]
    return json.dumps(values), capitalised(_joined(said)) + "."


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _not_calling(rng: Rng, think: bool) -> Sample:
    """Tools are there and none fits: an ordinary answer, or that there is no tool for it."""
    if rng.random() < 0.45:
        request, tools = _near_miss(rng) if rng.random() < 0.5 else _far_off(rng)
        answer = Turn("assistant", NO_TOOL, thought="No tool fits this.")
        return Sample("tools", (Turn("user", request), answer), _shuffled(rng, tools), think)
    tools = among(rng, task(rng))
    maker = pick(rng, (world.make, world.make, arithmetic.make, _greeting, facts.make))
    if maker is arithmetic.make:
        tools = [tool for tool in tools if not _COUNTS.search(tool.description)]
    inner = maker(rng, think=think)
    return Sample("tools", inner.turns, _shuffled(rng, tools), think)


_COUNTS = re.compile(
    r"\b(numbers?|sums?|add|plus|subtract|minus|calculate|compute)\b", re.IGNORECASE
)
"""In the description of a tool that could do a sum."""


def _near_miss(rng: Rng) -> tuple[str, list[Tool]]:
    """A request, and tools of which one would fit if its words were others."""
    while (asked := task(rng)).rival is None:
        continue
    return asked.request, [asked.rival, *others(rng, asked, pick(rng, (0, 0, 1, 2)))]


def _far_off(rng: Rng) -> tuple[str, tuple[Tool, ...]]:
    """A request, and tools that have nothing of it."""
    tools = among(rng, task(rng))
    names = {tool.name for tool in tools}
    while True:
        asked = task(rng)
        about = [tool.description for tool in tools]
        if asked.tool.name not in names and not any(asked.subject in text for text in about):
            return asked.request, tools


def _greeting(rng: Rng, *, think: bool) -> Sample:
    question, answer = pick(rng, (
        ("Hello!", "Hello! How can I help you?"), ("Hi", "Hello! How can I help you?"),
        ("Thank you!", "You are welcome."), ("Thanks", "You are welcome."),
        ("Good morning", "Good morning! How can I help you?"), ("Bye", "Goodbye!"),
    ))  # fmt: skip
    turns = (Turn("user", question), Turn("assistant", answer, thought="No tool is needed."))
    return Sample("tools", turns, (), think)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Calls with unseen names (six in ten), answers from results, and requests no tool fits."""
    found: list[Question] = []
    for i in range(count):
        asked = held_task(rng)
        tools = _shuffled(rng, among(rng, asked, held=True))
        user = Turn("user", asked.request)
        check: dict[str, Json]
        if i % 10 < 6:
            check = {"kind": "call", "name": asked.call.name, "arguments": asked.call.arguments}
            found.append(Question("tools", (user,), check, tools, think))
        elif i % 10 < 8:
            result, answer = _result(rng, ["altitude", "capacity", "flavor", "captain", "voltage"])
            turns = (user, Turn("assistant", "", (asked.call,)), Turn("tool", result))
            check = {"kind": "said", "text": answer}
            found.append(Question("tool results", turns, check, tools, think))
        else:
            found.append(_held_none(rng, i, tools, think))
    return found


def _held_none(rng: Rng, i: int, tools: tuple[Tool, ...], think: bool) -> Question:
    if i % 2:
        inner = (world.held if i % 4 == 1 else arithmetic.held)(rng, 1, think=think)[0]
        check: dict[str, Json] = {"kind": "no_call"}
        tools = tuple(t for t in tools if t.name not in ("subtract", "minus_tool"))
        return Question("no tool fits", inner.turns, check, tools, think)
    while True:
        other = held_task(rng)
        if not any(other.subject in t.description or other.subject in t.name for t in tools):
            break
    return Question(
        "no tool fits", (Turn("user", other.request),), {"kind": "no_call"}, tools, think
    )
