"""Saying again what was said, and finding it by its name: the skill under tools, JSON and memory.

The words are of all sorts, so that what is learnt is to copy and not to remember.
"""

from __future__ import annotations

from training.cria.corpus import words
from training.cria.corpus.phrasing import capitalised, styled
from training.cria.corpus.sample import Rng, Sample, ask, pick

__all__ = ["make"]

_REPEAT = (
    "Repeat: {}", "Say: {}", "Repeat after me: {}", "Say this again: {}", "Copy this: {}",
    "Please repeat {}", "Echo {}", "Write exactly this: {}", "Print {}", "{} - say that again",
    "Say it after me: {}", "Give me this text back: {}", "Type {}", "Now say {}",
)  # fmt: skip
_TELL = (
    "The {k} is {v}.", "{k}: {v}", "{k} = {v}", "{k} is {v}.", "My {k} is {v}.",
    "The {k} of it is {v}.", "{v} is the {k}.", "For {k} we have {v}.",
)  # fmt: skip
_FIND = (
    "What is the {k}?", "Which {k} is it?", "Tell me the {k}.", "Give me the {k}.", "The {k}?",
    "And the {k}?", "What was the {k}?", "Name the {k}.", "I need the {k}.", "What {k} is there?",
    "Say the {k}.", "Find the {k}.",
)  # fmt: skip


def make(rng: Rng, *, think: bool) -> Sample:
    """A text to repeat, or some named values and the question for one of them."""
    if rng.random() < 0.4:
        text = _text(rng)
        asked = pick(rng, _REPEAT).format(text)
        return ask("copying", asked, text, "I say it again.", think=think)
    return _look_up(rng, think)


def _text(rng: Rng) -> str:
    parts = [_value(rng) for _ in range(rng.randrange(1, 7))]
    return pick(rng, (" ", " ", ", ", "_", "-")).join(parts)


def _value(rng: Rng) -> str:
    roll = rng.random()
    if roll < 0.12:
        return str(rng.randrange(pick(rng, (10, 100, 1000, 10000))))
    if roll < 0.3:
        return pick(rng, (words.name, words.city))(rng)
    return words.made_up(rng) if roll < 0.6 else words.word(rng)


def _look_up(rng: Rng, think: bool) -> Sample:
    named: dict[str, str] = {}
    for _ in range(rng.randrange(1, 6)):
        value = " ".join(_value(rng) for _ in range(pick(rng, (1, 1, 1, 2))))
        named[words.word(rng).lower()] = value
    form = pick(rng, _TELL)
    told = pick(rng, (" ", "\n", ", ") if "." not in form else (" ", "\n")).join(
        capitalised(form.format(k=k, v=v)) if "." in form else form.format(k=k, v=v)
        for k, v in named.items()
    )
    key = pick(rng, tuple(named))
    question = styled(rng, pick(rng, _FIND).format(k=key), keep_case=True)
    if key not in question:  # a slip of the finger in the name itself
        question = f"What is the {key}?"
    asked = f"{told} {question}" if rng.random() < 0.75 else f"{question} {told}"
    return ask("copying", asked, f"The {key} is {named[key]}.", f"The {key}: {named[key]}.",
               think=think)  # fmt: skip
