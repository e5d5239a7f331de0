"""Where the engine's tokens differ from the maker's, whatever the conversion does: in which
tokenizers, in which texts, and why. One that is not here fails the comparison, as does one that is
gone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass

__all__ = ["DIFFERENCES", "Difference", "judge"]

Met = Callable[[str], bool]


@dataclass(frozen=True)
class Difference:
    """A thing that the engine does in its own way."""

    what: str
    """In the words of the document's table."""

    rows: tuple[str, ...]
    """The tokenizers that it is seen in."""

    is_met: Met
    """Whether a text has what the engine takes in another way."""

    texts: tuple[str, ...] = ()
    """The names of the nasty texts that differ by it in each of the rows."""

    n_texts: int = 0
    """How many differ, where these are most of them."""


def _composes(text: str) -> bool:
    return unicodedata.normalize("NFC", text) != text


def _has_marks(text: str) -> bool:
    """Marks, and Korean syllables, which are several letters when accents are taken off."""
    return any(unicodedata.category(each)[0] == "M" for each in unicodedata.normalize("NFD", text))


def _has_jamo(text: str) -> bool:
    apart = unicodedata.normalize("NFD", text)
    return _has_marks(text) or any("\u1100" <= each <= "\u11ff" for each in apart)


def _has(pattern: str) -> Met:
    return lambda text: re.search(pattern, text) is not None


def _is_changed(text: str) -> bool:
    """By NFKC, one character or several."""
    return unicodedata.normalize("NFKC", text) != text


def _any(_: str) -> bool:
    return True


_WORDS = ("words, cased", "words, uncased with accents")
_STRIPPED = ("bert-bge", "words, uncased", "words, cased without accents")
_CHARSMAP = ("unigram, T5", "unigram, XLM-R", "unigram, folded", "unigram, bytes")
_LONG = ("a hundred digits", "300 letters", "2,000 letters")
_TAGS = tuple(f"tag {text}" for text in ("<unk>", "<s>", "</s>", "[INST]", "<tool_call>", "<0>"))

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "A letter and its mark that the maker's file composes (NFC: Command R, GPT-NeoX, MPT, Qwen,"
        " Hunyuan) stay two characters.",
        (
            *("command-r", "gpt-neox", "mpt", "qwen2", "qwen35", "bytes, composed"),
            *("ranks, QWenTokenizer", "ranks, HYTokenizer"),
        ),
        _composes,
        ("marks alone", "Korean letters", "rare Chinese"),
    ),
    Difference(
        "`</s>` is taken for the end of a text wherever a vocabulary has it, though Qwen's means"
        " nothing by it.",
        ("qwen2", "qwen35"),
        _has("</s>"),
        ("tags of others",),
    ),
    Difference(
        "Letters beyond ASCII have no case where words are split at it (GPT-4o's, Llama 4's).",
        ("bytes, gpt-4o",),
        _has(r"[^\x00-\x7f]"),
        ("letters with marks", "letters that fold oddly", "Cyrillic cases"),
    ),
    Difference(
        "The same, and some ends of runs of digits (Tiny Aya).",
        ("bytes, tiny_aya",),
        _has(r"[^\x00-\x7f]|\d"),
        ("cases", "letters that fold oddly", "Cyrillic cases"),
    ),
    Difference(
        "The same in a vocabulary that is made by the rule (Mistral's Tekken).",
        ("bytes, tekken", "bytes, tekken.json"),
        _has(r"[^\x00-\x7f]"),
        ("letters with marks",),
    ),
    Difference(
        "The same (Kimi's); a blank may stay with a rare Chinese letter, and U+3007 with none.",
        ("bytes, kimi-k2", "ranks, TikTokenTokenizer"),
        _has(r"[^\x00-\x7f]"),
        ("a long s", "digits of others", "letters with marks", "rare Chinese"),
    ),
    Difference(
        "A byte-level tokenizer that puts a blank before a text gets none.",
        ("bytes, blank first",),
        _any,
        n_texts=72,
    ),
    Difference(
        "WordPiece: a word of more than 100 letters is split into its pieces; the maker's is one"
        " unknown token.",
        (*_STRIPPED, *_WORDS),
        _has(r"[^\W_]{101}"),
        _LONG,
    ),
    Difference(
        "WordPiece: the ends of lines U+0085, U+2028 and U+2029 are other blanks.",
        (*_STRIPPED, *_WORDS),
        _has("[\u0085\u2028\u2029]"),
        ("ends of lines of others", "next line"),
    ),
    Difference(
        "WordPiece without accents: more marks are taken off than the maker does (Hindi, emoji),"
        " and Korean syllables stay whole.",
        _STRIPPED,
        _has_jamo,
        (
            *("marks alone", "Hindi", "Bengali and Tamil", "Korean", "Korean letters"),
            "faces that are text",
        ),
    ),
    Difference(
        "WordPiece in lower case, with accents: `İ` is one letter, the maker's is two.",
        ("words, uncased with accents",),
        _has("İ"),
        ("letters that fold oddly",),
    ),
    Difference(
        "Where only the beginning of a text gets a blank (Mistral's `tokenizer.json`), what follows"
        " a special token gets one, too, and so does a text that begins with one.",
        ("pairs, Mistral",),
        _has("^[ ▁]|<"),
        (
            *("a blank", "three blanks", "blanks of all kinds", "blanks at the beginning"),
            *("blocks", "tags of others", *_TAGS),
        ),
    ),
    Difference(
        "After a symbol that the user defined comes a blank, where SentencePiece puts one before a"
        " text.",
        ("pieces, own symbols", "pieces, unigram, own symbols"),
        _has("<tool_call>|<0>"),
        ("tag <tool_call>",),
    ),
    Difference(
        "The letter `▁` in a text is no part of a symbol that the user defined with it (Gemma).",
        ("pieces, Gemma",),
        _has("▁▁"),
        ("blocks",),
    ),
    Difference(
        "SentencePiece's pairs are not normalised (NFKC, one blank for several), as its trainer has"
        " it where nobody says otherwise; Llama's relatives do say so.",
        ("pieces, trainer's defaults",),
        _any,
        n_texts=40,
    ),
    Difference(
        "Unigram: a text of blanks alone is no token.",
        ("pieces, unigram", "pieces, unigram, own symbols"),
        _has("^ +$"),
        ("a blank", "three blanks"),
    ),
    Difference(
        "Unigram: a character that is not in the vocabulary is an unknown token, though there are"
        " tokens for bytes.",
        ("pieces, unigram, bytes",),
        _any,
        n_texts=28,
    ),
    Difference(
        "The same from a `tokenizer.json`, where unknown tokens were no words of the training.",
        ("unigram, bytes",),
        _any,
        ("the zero byte",),
    ),
    Difference(
        "Unigram: the library `tokenizers` normalises a letter with all its marks; the engine does"
        " as SentencePiece.",
        _CHARSMAP,
        _is_changed,
        ("marks alone", "half-width Japanese", "Korean letters"),
    ),
    Difference(
        "Unigram: U+0085 is no blank.",
        ("unigram, XLM-R",),
        _has("\u0085"),
        ("next line",),
    ),
)
"""The engine's own ways, and who is met by them."""


def judge(row: str, named: Collection[str], random: Collection[str]) -> list[str]:
    """What is wrong with these differences of one tokenizer, in words: nothing, if it is empty.

    `named` are the names of texts that differ, `random` other texts that do.
    """
    known = [each for each in DIFFERENCES if row in each.rows]
    words = []
    counted = sum(each.n_texts for each in known)
    if counted:
        if len(named) != counted:
            words.append(f"{len(named)} texts with names differ, and {counted} were known")
    else:
        expected = {text for each in known for text in each.texts}
        words += [f"differs: {text}" for text in sorted(set(named) - expected)]
        words += [f"no longer differs: {text}" for text in sorted(expected - set(named))]
    for text in sorted(random, key=len):
        if not any(each.is_met(text) for each in known):
            words.append(f"differs: {text!r}")
    return words
