"""The values of arguments: drawn for a kind, and as they stand in a request."""

from __future__ import annotations

from collections.abc import Callable

from training.cria.corpus import limits, words
from training.cria.corpus.sample import Json, Rng, pick

__all__ = ["spelt", "value_of"]


def spelt(value: Json) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def value_of(rng: Rng, kind: str, choices: tuple[str, ...], *, new: bool) -> Json:
    """A value of a kind; `new`: one that training never sees."""
    makers: dict[str, Callable[[], Json]] = {
        "word": lambda: words.word(rng),
        "name": lambda: pick(rng, words.HELD_NAMES) if new else words.name(rng),
        "city": lambda: words.city(rng),
        "phrase": lambda: words.phrase(rng),
        "number": lambda: _number(rng),
        "decimal": lambda: rng.randrange(1, 5000) / pick(rng, (10, 10, 100)),
        "enum": lambda: pick(rng, choices),
        "date": lambda: _date(rng),
        "code": lambda: _code(rng),
        "bool": lambda: rng.random() < 0.5,
    }
    return makers[kind]()


def _number(rng: Rng) -> int:
    return rng.randrange(pick(rng, (10, 100, 100, 1000, 5000)))


def _date(rng: Rng) -> str:
    from_days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
                 "today", "tomorrow")  # fmt: skip
    if rng.random() < 0.5:
        return pick(rng, from_days)
    return f"20{rng.randrange(20, 40)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"


def _code(rng: Rng) -> str:
    roll = rng.random()
    letters = "".join(pick(rng, "ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randrange(1, 5)))
    if roll < 0.4:
        return f"{letters}-{rng.randrange(10, 1000)}"
    if roll < 0.6:
        return letters if len(letters) > 1 else letters + str(rng.randrange(10, 100))
    if roll < 0.8:
        return f"{limits.invented(rng)}.{pick(rng, ('txt', 'md', 'py', 'json', 'csv'))}"
    return f"{letters.lower()}{rng.randrange(1, 100)}"
