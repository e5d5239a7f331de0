"""Many plain words, and words that only look like some: what copying is learnt on.

The lists lie in `tables/`. Held-out words are taken out of them here, whoever uses them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from training.cria.corpus.held_words import HELD_WORDS
from training.cria.corpus.sample import Rng, pick

__all__ = ["adjectives", "first_names", "nouns", "pseudo_word", "sections", "towns", "verbs"]

_FOLDER = Path(__file__).parent / "tables"
_EDGE = "^"
_SHORTEST, _LONGEST = 3, 11


def _lines(name: str) -> tuple[str, ...]:
    text = (_FOLDER / f"{name}.txt").read_text(encoding="ascii")
    found = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(w for w in found if w and w.lower() not in HELD_WORDS))


@cache
def nouns() -> tuple[str, ...]:
    """Common nouns."""
    return _lines("nouns")


@cache
def verbs() -> tuple[str, ...]:
    """Verbs that could name what a tool does."""
    return _lines("verbs")


@cache
def adjectives() -> tuple[str, ...]:
    """Common adjectives."""
    return _lines("adjectives")


@cache
def first_names() -> tuple[str, ...]:
    """Capitalised first names."""
    return _lines("names")


@cache
def towns() -> tuple[str, ...]:
    """Capitalised towns and countries."""
    return _lines("towns")


@cache
def sections(name: str) -> dict[str, tuple[str, ...]]:
    """A table of lines under headings that start with `# `."""
    found: dict[str, list[str]] = {}
    for line in (_FOLDER / f"{name}.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("# "):
            lines = found.setdefault(line[2:].strip(), [])
        elif line.strip():
            lines.append(line.strip())
    return {heading: tuple(lines) for heading, lines in found.items()}


@cache
def _followers() -> dict[str, str]:
    """Which letters come after two others, as often as in the word lists."""
    after: dict[str, list[str]] = {}
    for word in (*nouns(), *verbs(), *adjectives(), *(n.lower() for n in first_names())):
        padded = _EDGE * 2 + word + _EDGE
        for i in range(len(padded) - 2):
            after.setdefault(padded[i : i + 2], []).append(padded[i + 2])
    return {pair: "".join(letters) for pair, letters in after.items()}


def pseudo_word(rng: Rng) -> str:
    """A word made of the letter pairs of English; it seldom exists and is never held out."""
    after = _followers()
    while True:
        word = ""
        pair = _EDGE * 2
        while (letter := pick(rng, after[pair])) != _EDGE and len(word) <= _LONGEST:
            word += letter
            pair = pair[1] + letter
        if _SHORTEST <= len(word) <= _LONGEST and word not in HELD_WORDS:
            return word
