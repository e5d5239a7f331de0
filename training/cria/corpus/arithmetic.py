"""Sums: addition and subtraction of numbers below a hundred, in signs and in words.

One pair in eight is held out, whatever the wording.
"""

from __future__ import annotations

from training.cria.corpus import lexicon
from training.cria.corpus.phrasing import styled
from training.cria.corpus.sample import Json, Question, Rng, Sample, Turn, ask, pick

__all__ = ["HELD_TEMPLATES", "TEMPLATES", "column", "held", "is_held_pair", "make"]

_PLUS = (
    "What is {a} + {b}?", "{a} + {b}", "{a}+{b}", "{a} + {b} = ?", "{a}+{b}=",
    "What is {a} plus {b}?",
    "How much is {a} + {b}?", "How much is {a} plus {b}?", "Add {a} and {b}.",
    "Calculate {a} + {b}.",
    "What is the sum of {a} and {b}?", "Compute {a} plus {b}.", "{a} plus {b}", "Add {b} to {a}.",
    "Can you add {a} and {b}?", "Tell me {a} + {b}.", "What do {a} and {b} make together?",
    "Solve {a} + {b}.", "I have {a} and get {b} more. How many?", "what's {a} + {b}",
)  # fmt: skip
_HELD_PLUS = (
    "Could you work out {a} + {b} for me?", "Give me the total of {a} and {b}.",
    "If I add {b} to {a}, what do I get?", "Find {a} plus {b}.",
)  # fmt: skip
_MINUS = (
    "What is {a} - {b}?", "{a} - {b}", "{a}-{b}", "{a} - {b} = ?", "{a}-{b}=",
    "What is {a} minus {b}?", "How much is {a} - {b}?", "How much is {a} minus {b}?",
    "Subtract {b} from {a}.", "Calculate {a} - {b}.", "What is {a} less {b}?",
    "Compute {a} minus {b}.", "{a} minus {b}", "Take {b} away from {a}.",
    "What is the difference between {a} and {b}?", "Tell me {a} - {b}.", "Solve {a} - {b}.",
    "I have {a} and lose {b}. How many are left?", "what's {a} - {b}",
)  # fmt: skip
_HELD_MINUS = (
    "Could you work out {a} - {b} for me?", "If I take {b} from {a}, what remains?",
    "Find {a} minus {b}.", "What stays when {b} is taken off {a}?",
)  # fmt: skip


HELD_TEMPLATES = (*_HELD_PLUS, *_HELD_MINUS)
_EXTRA_ASKS = lexicon.sections("world_asks")
_ALL_PLUS = (*_PLUS, *_EXTRA_ASKS["sums plus"])
_ALL_MINUS = (*_MINUS, *_EXTRA_ASKS["sums minus"])
TEMPLATES = (*_ALL_PLUS, *_ALL_MINUS)


def is_held_pair(a: int, b: int) -> bool:
    """Whether training must never add or subtract these two."""
    return (a * 37 + b * 101 + a * b) % 8 == 3


def make(rng: Rng, *, think: bool) -> Sample:
    """A training sum with a short answer, and with thinking the column method before it."""
    plus = rng.random() < 0.5
    while True:
        a, b = _numbers(rng, plus=plus)
        if not is_held_pair(a, b):
            break
    template = pick(rng, _ALL_PLUS if plus else _ALL_MINUS)
    text = template.format(a=a, b=b)
    if plus and template.index("{b}") < template.index("{a}"):
        a, b = b, a  # the answer adds in the order of the question
    result, sign = (a + b, "+") if plus else (a - b, "-")
    answer = f"{a} {sign} {b} = {result}"
    return ask("sums", styled(rng, text), answer, column(a, b, plus=plus), think=think)


def _numbers(rng: Rng, *, plus: bool) -> tuple[int, int]:
    if not plus:
        roll = rng.random()
        if roll < 0.2:
            return _close(rng)
        if roll < 0.4:
            return _borrowing(rng)
    low = 0 if rng.random() < 0.1 else 10
    a, b = rng.randrange(low, 100), rng.randrange(0 if rng.random() < 0.15 else low, 100)
    return (a, b) if plus or a >= b else (b, a)


def _close(rng: Rng) -> tuple[int, int]:
    """Two numbers that differ by less than ten, or not at all."""
    b = rng.randrange(10, 100)
    return min(b + rng.randrange(10), 99), b


def _borrowing(rng: Rng) -> tuple[int, int]:
    """Numbers with near tens, whose subtraction borrows."""
    tens = rng.randrange(1, 9)
    ones = rng.randrange(9)
    a = 10 * min(tens + rng.randrange(1, 3), 9) + ones
    return a, 10 * tens + rng.randrange(ones + 1, 10)


def column(a: int, b: int, *, plus: bool) -> str:
    """The column method in words, ones first."""
    if plus:
        ones = a % 10 + b % 10
        first = f"Ones: {a % 10} + {b % 10} = {ones}."
        carry = ones // 10
        more = f" + {carry}" if carry else ""
        return f"{first} Tens: {a // 10} + {b // 10}{more} = {a // 10 + b // 10 + carry}."
    borrow = a % 10 < b % 10
    top = a % 10 + (10 if borrow else 0)
    first = f"Ones: {top} - {b % 10} = {top - b % 10}."
    less = " - 1" if borrow else ""
    return f"{first} Tens: {a // 10} - {b // 10}{less} = {a // 10 - b // 10 - borrow}."


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Held-out pairs of two-digit numbers, half of them in held-out words."""
    found: list[Question] = []
    while len(found) < count:
        plus = len(found) % 2 == 0
        a, b = rng.randrange(10, 100), rng.randrange(10, 100)
        if not plus and a < b:
            a, b = b, a
        if not is_held_pair(a, b):
            continue
        known, new = (_PLUS, _HELD_PLUS) if plus else (_MINUS, _HELD_MINUS)
        text = pick(rng, new if len(found) % 4 < 2 else known).format(a=a, b=b)
        check: dict[str, Json] = {"kind": "number", "value": a + b if plus else a - b}
        found.append(Question("sums", (Turn("user", text),), check, think=think))
    return found
