"""Which of the engine's splitters a tokenizer.json wants: told by the patterns that it splits at.

The engine knows splitters by name only. Several names share patterns and differ in whether a word
that is a token is taken before any merge, so that flag is part of the key. A wrong name would
tokenise wrongly without a word, so patterns that are not here are an error. Facts: conversion spec,
section 5.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from puna.errors import TokenizerError

__all__ = ["KIMI", "LLAMA3", "NAMES", "QWEN2", "find_pretokenizer", "split_patterns"]

_GPT2 = "GPT2"  # what a ByteLevel step splits at by itself
_DIGITS, _DIGIT_RUNS = r"\p{N}", r"\p{N}+"
_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+"
_SIGNS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
LLAMA3 = rf"{_WORDS}|\p{{N}}{{1,3}}{_SIGNS}{_TAIL}"
QWEN2 = rf"{_WORDS}|\p{{N}}{_SIGNS}{_TAIL}"
_QWEN35 = (
    rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*{_TAIL}"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = r"[^\r\n\p{L}\p{N}]?" + _UPPER
_GPT4O = (
    rf"{_CASED}*{_LOWER}+{_ENDINGS}?|{_CASED}+{_LOWER}*{_ENDINGS}?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{_TAIL}"
)
_TEKKEN = rf"{_CASED}*{_LOWER}+|{_CASED}+{_LOWER}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{_TAIL}"
_OTHERS = r"&&[^\p{Han}]]"
KIMI = (
    rf"[\p{{Han}}]+|{_CASED[:-1]}{_OTHERS}*{_LOWER[:-1]}{_OTHERS}+{_ENDINGS}?"
    rf"|{_CASED[:-1]}{_OTHERS}+{_LOWER[:-1]}{_OTHERS}*{_ENDINGS}?"
    rf"|\p{{N}}{{1,3}}{_SIGNS}{_TAIL}"
)
_DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"| ?[\p{P}\p{S}]+[\r\n]*" + _TAIL
)
_CJK = "[一-龥\u3040-ゟ\u30a0-ヿ]+"
_SEED = rf"{_WORDS}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+{_TAIL}"
_BAILING = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
_JAIS2 = (
    rf"{_WORDS}|\p{{N}}{{1,3}}{_SIGNS}|\s*[\r\n]+"
    + "".join(
        rf"|\s{{{n}}}(?!\S)" for n in ("512", "256", "128", "64", "32", "16", "8", "4", "1,2")
    )
    + r"|\s{1}"
)
_EXAONE = (
    rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
)
_MINICPM5 = rf"{_WORDS}|\p{{N}}+{_SIGNS}{_TAIL}"
_BLOOM = r" ?[^(\s|[.,!?…。\uff0c、।\u06d4،])]+"
_VIKING = _BLOOM

_MERGES, _WHOLE = False, True

NAMES: Mapping[tuple[tuple[str, ...], bool], str] = MappingProxyType(
    {
        ((_GPT2,), _MERGES): "gpt-2",
        ((_DIGITS, _GPT2), _MERGES): "smollm",
        ((LLAMA3,), _WHOLE): "llama-bpe",
        ((LLAMA3,), _MERGES): "dbrx",
        ((QWEN2,), _MERGES): "qwen2",
        ((_QWEN35,), _MERGES): "qwen35",
        ((_GPT4O,), _MERGES): "gpt-4o",
        ((r"\d{1,3}(?=(?:\d{3})*\b)", _GPT4O), _MERGES): "tiny_aya",
        ((_TEKKEN,), _WHOLE): "tekken",
        ((KIMI,), _WHOLE): "kimi-k2",
        ((r"\p{N}{1,3}", _CJK, _DEEPSEEK3), _MERGES): "deepseek-v3",
        ((_SEED,), _MERGES): "seed-coder",
        ((_BAILING,), _MERGES): "bailingmoe",
        ((_BLOOM,), _MERGES): "bloom",
        ((_VIKING, _DIGITS), _MERGES): "viking",
        ((_JAIS2,), _MERGES): "jais-2",
        ((_EXAONE,), _MERGES): "exaone-moe",
        ((r"\p{N}{1,3}", _MINICPM5), _WHOLE): "minicpm5",
        # digits that stand alone in training are alone in the vocabulary: no need to split at them
        (("PUNCTUATION", _GPT2, "[0-9][0-9][0-9]"), _MERGES): "falcon",
        (("PUNCTUATION", _GPT2, _DIGIT_RUNS, "[0-9][0-9][0-9]"), _MERGES): "falcon",
        (("PUNCTUATION", _GPT2, _DIGITS), _MERGES): "falcon",
    }
)

_DIGESTS: Mapping[str, str] = MappingProxyType(
    {
        "03df5c5863ad70781dcfdef491ead25140f895fe8010964be0daefe27be32b02": "deepseek-llm",
        "21cde974d587f0d54dc8d56b183cc1e6239600172035c68fbd6d4b9f8da0576e": "deepseek-coder",
        "b92c0824a58e1d8dc3221cf3e12c433c3a86f57e46d57229993489f0798e7702": "laguna",
    }
)
"""By the SHA-256 of all patterns of Split steps in one, for those that are long."""


def find_pretokenizer(tokenizer: Mapping[str, Any]) -> str:
    """The engine's name for how this tokenizer.json splits. Raises TokenizerError where it has
    none.
    """
    patterns = split_patterns(tokenizer)
    whole = bool(tokenizer.get("model", {}).get("ignore_merges", False))
    # some makers write ends of lines as they are, some as escapes
    plain = tuple(each.replace("\r", r"\r").replace("\n", r"\n") for each in patterns)
    name = (
        _DIGESTS.get(_digest(patterns))
        or NAMES.get((plain, whole))
        or NAMES.get((plain, not whole), "")
    )
    if not name:
        raise TokenizerError(
            "tokenizer.json: the engine has no pre-tokenizer that splits at "
            + ", ".join(repr(pattern[:200]) for pattern in patterns)
        )
    return name


def _digest(patterns: tuple[str, ...]) -> str:
    """The steps that are no Split have no part in it."""
    splits = [each for each in patterns if each not in (_GPT2, _DIGITS, _DIGIT_RUNS, "PUNCTUATION")]
    return hashlib.sha256("".join(splits).encode()).hexdigest()


def split_patterns(tokenizer: Mapping[str, Any]) -> tuple[str, ...]:
    """What the text is split at, step by step."""
    step = tokenizer.get("pre_tokenizer")
    return tuple(_patterns(step)) if isinstance(step, dict) else ()


def _patterns(step: Mapping[str, Any]) -> Iterator[str]:
    match step.get("type"):
        case "Sequence":
            parts = step.get("pretokenizers")
            for inner in parts if isinstance(parts, list) else ():
                if isinstance(inner, dict):
                    yield from _patterns(inner)
        case "Split":
            said = step.get("pattern")
            pattern = said if isinstance(said, dict) else {}
            yield str(pattern.get("Regex", pattern.get("String", "")))
        case "Digits":
            yield _DIGITS if step.get("individual_digits") else _DIGIT_RUNS
        case "Punctuation":
            yield "PUNCTUATION"
        case "ByteLevel":
            if step.get("use_regex", True):
                yield _GPT2
        case other:
            yield str(other)
