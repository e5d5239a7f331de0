"""JSON when it is asked for, with the keys that the question gives and values from its text."""

from __future__ import annotations

import json

from training.cria.corpus import words
from training.cria.corpus.held_words import HELD_NUMBER_KEYS, HELD_TEXT_KEYS
from training.cria.corpus.sample import Json, Question, Rng, Sample, Turn, ask, pick
from training.cria.corpus.tables import spaced

__all__ = ["HELD_TEMPLATES", "held", "make"]

_TEXT_KEYS = spaced("name city country title author color animal job subject status food brand")
_NUMBER_KEYS = spaced("age year price count height weight pages score rooms size")

_ASKS = (
    "Give me JSON with the keys {k}: {t}", "Return JSON with the keys {k}. {t}",
    "Answer in JSON with {k}. {t}", "Make JSON with the keys {k} from this: {t}",
    "{t} Give me that as JSON with the keys {k}.", "{t} Return this as JSON with the keys {k}.",
    "Write this as JSON with the fields {k}: {t}", "Extract {k} as JSON: {t}",
    "Respond in JSON with the keys {k}. {t}", "{t} As JSON with {k}, please.",
    "Turn this into JSON with the keys {k}: {t}", "JSON with the keys {k}: {t}",
    "Extract the following keys as JSON: {k}. Text: {t}", "Output only JSON with keys {k}. {t}",
)  # fmt: skip
_HELD_ASKS = (
    "Could you put this into JSON with the keys {k}? {t}",
    "Format it as JSON using the keys {k}: {t}",
    "{t} I need JSON that has the keys {k}.",
)  # fmt: skip
HELD_TEMPLATES = _HELD_ASKS


def make(rng: Rng, *, think: bool) -> Sample:
    """A training request for JSON."""
    question, answer = _case(rng, _TEXT_KEYS, _NUMBER_KEYS, _ASKS, new=False)
    keys = ", ".join(answer)
    text = json.dumps(answer, ensure_ascii=False)
    return ask("json", question, text, f"JSON with {keys}.", think=think)


def _case(
    rng: Rng, texts: tuple[str, ...], numbers: tuple[str, ...], asks: tuple[str, ...], *, new: bool
) -> tuple[str, dict[str, Json]]:
    count = pick(rng, (1, 2, 2, 2, 3, 3))
    values: dict[str, Json] = {}
    while len(values) < count:
        number = rng.random() < 0.35
        key = pick(rng, numbers if number else texts)
        if not new and rng.random() < 0.65:
            key = _other_key(rng)
        values[key] = rng.randrange(pick(rng, (100, 100, 3000))) if number else _text(rng, new)
    told = list(values.items())
    if rng.random() < 0.3:
        rng.shuffle(told)
    keys = _listed(rng, list(values))
    return pick(rng, asks).format(k=keys, t=_told(rng, told)), values


def _other_key(rng: Rng) -> str:
    key = words.word(rng)
    return f"{key}_{words.word(rng)}" if rng.random() < 0.15 else key


def _text(rng: Rng, new: bool) -> str:
    if new:
        return pick(rng, words.HELD_NAMES)
    return pick(rng, (words.name, words.city, words.word, words.phrase))(rng)


def _listed(rng: Rng, keys: list[str]) -> str:
    if len(keys) == 1 or rng.random() < 0.4:
        return ", ".join(keys)
    return ", ".join(keys[:-1]) + " and " + keys[-1]


def _told(rng: Rng, values: list[tuple[str, Json]]) -> str:
    form = rng.randrange(4)
    if form == 0:
        return ", ".join(f"{k}: {v}" for k, v in values)
    if form == 1:
        said = [f"the {k} is {v}" for k, v in values]
        text = " and ".join(said) + "."
        return text[:1].upper() + text[1:]
    if form == 2:
        return " ".join(f"The {k} is {v}." for k, v in values)
    return ", ".join(f"{k} {v}" for k, v in values)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Held-out keys, values and words of asking."""
    found = []
    for i in range(count):
        asks = _HELD_ASKS if i % 2 else _ASKS
        question, answer = _case(rng, HELD_TEXT_KEYS, HELD_NUMBER_KEYS, asks, new=True)
        check: dict[str, Json] = {"kind": "json", "value": answer}
        found.append(Question("json", (Turn("user", question),), check, think=think))
    return found
