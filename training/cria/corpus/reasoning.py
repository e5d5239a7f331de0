"""What thinking is for: comparisons and small word problems, with a line of reasoning."""

from __future__ import annotations

from training.cria.corpus.arithmetic import column, is_held_pair
from training.cria.corpus.held_words import HELD_PEOPLE, HELD_THINGS
from training.cria.corpus.phrasing import styled
from training.cria.corpus.sample import Json, Question, Rng, Sample, Turn, ask, pick
from training.cria.corpus.tables import spaced

__all__ = ["HELD_THINGS", "held", "make"]

_PEOPLE = spaced(
    "Anna Ben Clara David Emma Felix Greta Henry Ines Jack Karin Liam Mona Nils Olga Peter"
)
_ITEMS = spaced(
        "apples books coins stamps marbles cards eggs pens shells sweets flowers stickers "
        "cookies tickets balls pears"
    )  # fmt: skip

_PLUS = (
    "{p} has {a} {t} and gets {b} more. How many {t} does {p} have?",
    "{p} has {a} {t}. {q} gives {p} {b} {t}. How many {t} does {p} have now?",
    "There are {a} {t} in a box and {b} in another. How many {t} are there?",
    "{p} finds {a} {t} and {q} finds {b}. How many {t} do they have together?",
    "{p} buys {a} {t} today and {b} tomorrow. How many {t} is that?",
)  # fmt: skip
_MINUS = (
    "{p} has {a} {t} and gives {b} to {q}. How many {t} does {p} have left?",
    "{p} has {a} {t} and loses {b}. How many {t} are left?",
    "There are {a} {t} on the table. {p} takes {b}. How many {t} are left?",
    "{p} had {a} {t} and sold {b}. How many {t} does {p} still have?",
)  # fmt: skip
_BIGGER = (
    "Which is bigger, {a} or {b}?", "Which number is bigger: {a} or {b}?",
    "Is {a} bigger than {b}?", "What is more, {a} or {b}?", "Which is larger, {a} or {b}?",
    "Is {a} more than {b}?", "Between {a} and {b}, which one is bigger?",
    "{a} or {b}: which is more?", "Tell me which is bigger, {a} or {b}.",
    "Which one of {a} and {b} is the greatest?",
    "Take {a} and {b}. Which is larger?", "{a} and {b}: which number is higher?",
    "I have {a} and {b}. Say which of them is bigger.", "Pick the bigger one: {a}, {b}.",
    "Here are {a} and {b}, which is the larger one?", "bigger: {a} or {b}",
    "Look at {a} and {b}. Which of the two is more?", "The larger of {a} and {b}?",
    "Say the bigger number of the two: {a} and {b}.",
)  # fmt: skip
_SMALLER = (
    "Which is smaller, {a} or {b}?", "Which number is smaller: {a} or {b}?",
    "Is {a} less than {b}?",
    "What is less, {a} or {b}?", "Between {a} and {b}, which one is smaller?",
    "{a} or {b}: which is less?", "Tell me which is smaller, {a} or {b}.",
    "Take {a} and {b}. Which is lower?", "Pick the smaller one: {a}, {b}.",
    "Look at {a} and {b}. Which of the two is less?", "The smaller of {a} and {b}?",
)  # fmt: skip
_HELD_BIGGER = (
    "Of {a} and {b}, which is the bigger number?",
    "Compare {a} and {b}: which is bigger?",
)


def make(rng: Rng, *, think: bool) -> Sample:
    """A training problem."""
    if rng.random() < 0.45:
        return _comparison(rng, think)
    while True:
        a, b = rng.randrange(2, 100), rng.randrange(2, 100)
        if not is_held_pair(a, b) and not is_held_pair(b, a):
            break
    if rng.random() < 0.1:
        return _three(rng, think)
    p, q = rng.sample(_PEOPLE, 2)
    question, answer, thought = _problem(rng, a, b, p, q, pick(rng, _ITEMS))
    return ask("reasoning", styled(rng, question, keep_case=True), answer, thought, think=think)


def _problem(rng: Rng, a: int, b: int, p: str, q: str, t: str) -> tuple[str, str, str]:
    if plus := rng.random() < 0.5:
        text, result = pick(rng, _PLUS), a + b
    else:
        a, b = max(a, b), min(a, b)
        text, result = pick(rng, _MINUS), a - b
    sign = "+" if plus else "-"
    thought = f"{a} {sign} {b}. {column(a, b, plus=plus)}"
    return text.format(p=p, q=q, t=t, a=a, b=b), f"{a} {sign} {b} = {result} {t}.", thought


def _three(rng: Rng, think: bool) -> Sample:
    a, b, c = (rng.randrange(1, 10) for _ in range(3))
    thought = f"{a} + {b} = {a + b}. {a + b} + {c} = {a + b + c}."
    question = pick(rng, ("What is {} + {} + {}?", "{} + {} + {}", "Add {}, {} and {}."))
    answer = f"{a} + {b} + {c} = {a + b + c}"
    return ask("reasoning", styled(rng, question.format(a, b, c)), answer, thought, think=think)


def _comparison(rng: Rng, think: bool) -> Sample:
    top = pick(rng, (20, 100, 100, 1000))
    a, b = rng.sample(range(top), 2)
    bigger = rng.random() < 0.6
    text = pick(rng, _BIGGER if bigger else _SMALLER)
    wanted = (a > b) == bigger
    word = "bigger" if bigger else "smaller"
    thought = f"{max(a, b)} is bigger than {min(a, b)}."
    if text.startswith("Is"):
        sign = ("more" if "more" in text else "bigger") if bigger else "less"
        answer = f"Yes, {a} is {sign} than {b}." if wanted else f"No, {a} is not {sign} than {b}."
    else:
        answer = f"{a if wanted else b} is {word} than {b if wanted else a}."
    return ask("reasoning", styled(rng, text.format(a=a, b=b)), answer, thought, think=think)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Held-out pairs, people, things and comparisons."""
    found: list[Question] = []
    while len(found) < count:
        a, b = rng.randrange(10, 100), rng.randrange(10, 100)
        if a == b or not (is_held_pair(max(a, b), min(a, b)) and is_held_pair(a, b)):
            continue
        check: dict[str, Json]
        if len(found) % 3 == 0:
            text = pick(rng, _HELD_BIGGER).format(a=a, b=b)
            check = {"kind": "first_number", "value": max(a, b)}
        else:
            p, q = rng.sample(HELD_PEOPLE, 2)
            text, answer, _ = _problem(rng, a, b, p, q, pick(rng, HELD_THINGS))
            check = {"kind": "number", "value": int(answer.split("=")[1].split()[0])}
        found.append(Question("reasoning", (Turn("user", text),), check, think=think))
    return found
