"""Everyday tools in other words: what a request shares with its tool becomes a word drawn anew.

So hundreds of tools stand for tools without number, in natural sentences: which one fits must be
seen by the words it shares with the request, whether in its name, its description or an argument.
A tool that differs from the wanted one in those words alone is its rival.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from training.cria.corpus import words
from training.cria.corpus.sample import Rng, pick
from training.cria.corpus.tables import spaced
from training.cria.corpus.tool_words import REAL_HELD, Arg, Real

__all__ = ["in_other_words", "shared"]

_PLAIN = frozenset(
    spaced(
        "the a an of to in for on at by with from and or is are be do my me it you your can could "
        "please how what which where when who whose does tool use get set find list show tell give "
        "make new now any this that up out off into as if so then than there has have had was were "
        "one two not all some them they she her his him our its will would should"
    )
)
"""Words that tell nothing of a tool."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SLOT = re.compile(r"\{\w+\}")
_SHORTEST = 3


def _stem(word: str) -> str:
    low = word.lower()
    return low[:-1] if low.endswith("s") and not low.endswith("ss") and len(low) > 3 else low


def _stems(text: str) -> set[str]:
    found = {_stem(word) for word in _WORD.findall(_SLOT.sub(" ", text))}
    return {stem for stem in found if len(stem) >= _SHORTEST and stem not in _PLAIN}


def shared(row: Real, ask: str) -> frozenset[str]:
    """The words of a request, without their plural, that stand in its tool as well."""
    told = " ".join((*row.names, row.about, *(arg.name for arg in row.args)))
    return frozenset(_stems(ask) & _stems(told))


def in_other_words(rng: Rng, row: Real, ask: str, *, rival: bool = False) -> Real | None:
    """The tool with new words for those it shares with a request; None where it shares none.

    The request of the new tool has the new words, too. With `rival` the tool has words of its own
    and keeps the old request, which does not fit it.
    """
    common = sorted(shared(row, ask))
    names = tuple(name for name in row.names if _stems(name) & set(common))
    if not common or not names:
        return None
    new = {stem: _word(rng) for stem in common}
    if len({*new.values()} - _stems(ask)) < len(new):
        return None
    parts = [new, new, new]
    if not rival and rng.random() < 0.4:
        told = (" ".join(names), row.about, " ".join(arg.name for arg in row.args))
        parts = _scattered(rng, new, [_stems(text) for text in told])
    for_names, for_about, for_args = map(_changer, parts)
    args = tuple(
        Arg(for_args(arg.name), arg.kind, for_about(arg.about), arg.choices) for arg in row.args
    )
    if len({arg.name for arg in args}) < len(args):
        return None
    renamed = {f"{{{a.name}}}": f"{{{b.name}}}" for a, b in zip(row.args, args, strict=True)}
    asked = ask if rival else _outside_slots(ask, _changer(new), renamed)
    return Real(tuple(for_names(name) for name in names), for_about(row.about), args, (asked,))


def _scattered(rng: Rng, new: dict[str, str], told: list[set[str]]) -> list[dict[str, str]]:
    """Each word stays in one of its places (names, description, arguments), and goes elsewhere."""
    parts: list[dict[str, str]] = [{} for _ in told]
    for stem, word in new.items():
        kept = pick(rng, [at for at, stems in enumerate(told) if stem in stems] or [0])
        for at, part in enumerate(parts):
            part[stem] = word if at == kept else _word(rng)
    return parts


_HELD = frozenset(_stems(" ".join(t for r in REAL_HELD for t in (*r.names, r.about, *r.asks))))
"""Words of held-out tools: none of them is made anew here."""


def _word(rng: Rng) -> str:
    while True:
        word = words.word(rng).lower()
        if word.isalpha() and len(word) >= _SHORTEST and _stem(word) not in _PLAIN | _HELD:
            return word


def _changer(new: dict[str, str]) -> Callable[[str], str]:
    """What puts new words into a text, with the capitals and the plural of the old ones."""

    def changed(match: re.Match[str]) -> str:
        old = match[0]
        word = new.get(_stem(old))
        if word is None:
            return old
        if _stem(old) != old.lower() and not word.endswith("s"):
            word += "s"
        return word.capitalize() if old[0].isupper() else word

    return lambda text: _WORD.sub(changed, text)


def _outside_slots(ask: str, change: Callable[[str], str], renamed: dict[str, str]) -> str:
    parts = re.split(r"(\{\w+\})", ask)
    return "".join(renamed[p] if p in renamed else change(p) for p in parts)
