"""How people type: the same question polite, hasty, in lower case or with a slip of the finger.

Held-out phrasings are other templates, listed beside the training ones in each table; this module
never turns one into the other.
"""

from __future__ import annotations

import re

from training.cria.corpus.sample import Rng, pick
from training.cria.corpus.tables import spaced

__all__ = ["capitalised", "normal", "styled"]

_PRE = [
    "Hi, ",
    "Hello, ",
    "Hey, ",
    "Please: ",
    "Quick question: ",
    "So, ",
    "Ok, ",
    "Hi! ",
    "Cria, ",
]
_POST = [" please", " thanks", " thank you", ", please", " pls"]
_SMALL = frozenset(
    spaced(
        "a an the of to for in on my me i do does is are it can could you please how what that "
        "this with at by would should be there"
    )
)
_FILLERS = ("just", "please", "now", "here", "simply", "really", "maybe", "exactly", "actually")
_CODE = re.compile(r"[`_/~0-9]|[A-Z]{2}|^-")


def capitalised(text: str) -> str:
    """With a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


def normal(text: str) -> str:
    """What two spellings of one phrasing have in common: lower-case letters, digits and signs."""
    return " ".join(re.findall(r"[a-z0-9_/~+\-]+", text.lower()))


def styled(rng: Rng, text: str, *, keep_case: bool = False) -> str:
    """A question as somebody might type it. `keep_case`: names in it must survive."""
    if not keep_case and rng.random() < 0.3:
        text = _loosened(rng, text)
    roll = rng.random()
    if roll < 0.5:
        return text
    if roll < 0.6:
        return pick(rng, _PRE) + _lower_first(text)
    if roll < 0.68:
        body, mark = _cut(text)
        return body + pick(rng, _POST) + mark
    if roll < 0.78:
        return _cut(text)[0]
    if roll < 0.92:
        body = _cut(text)[0] if rng.random() < 0.7 else text
        return _lower_first(body) if keep_case else _lower(body)
    if roll < 0.98:
        return _typo(rng, text)
    return _cut(text)[0] + pick(rng, ["??", "!", "...", " ?"])


def _loosened(rng: Rng, text: str) -> str:
    """Small words lost, doubled or put in: no single one of them may matter."""
    kept = []
    for word in text.split(" "):
        small = word.lower() in _SMALL
        if small and rng.random() < 0.25:
            continue
        kept.append(word)
        if small and rng.random() < 0.04:
            kept.append(word.lower())
        elif rng.random() < 0.04:
            kept.append(pick(rng, _FILLERS))
    return " ".join(kept) or text


def _lower_first(text: str) -> str:
    head = text.split(" ", 1)[0]
    return text if _CODE.search(head) or head == "I" else text[:1].lower() + text[1:]


def _lower(text: str) -> str:
    return " ".join(w if _CODE.search(w) else w.lower() for w in text.split(" "))


def _cut(text: str) -> tuple[str, str]:
    return (text[:-1], text[-1]) if text[-1:] in "?.!" else (text, "")


def _typo(rng: Rng, text: str) -> str:
    words = text.split(" ")
    long = [i for i, w in enumerate(words) if w.isalpha() and len(w) > 4 and w.islower()]
    if not long:
        return text
    at = pick(rng, long)
    word = words[at]
    i = rng.randrange(1, len(word) - 1)
    slip = rng.randrange(3)
    if slip == 0:
        word = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    elif slip == 1:
        word = word[:i] + word[i + 1 :]
    else:
        word = word[:i] + word[i] + word[i:]
    words[at] = word
    return " ".join(words)
