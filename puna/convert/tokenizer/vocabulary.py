"""The vocabulary of a checkpoint as the engine wants it: byte-level BPE, SentencePiece, unigram,
WordPiece.

Facts: conversion spec, sections 5.1 to 5.4 and 5.6.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from puna.convert.family import Value
from puna.convert.tokenizer.pretokenizer import find_pretokenizer
from puna.convert.tokenizer.rwkv import NAME as RWKV
from puna.convert.tokenizer.rwkv import read_lines
from puna.convert.tokenizer.sentencepiece import read_pieces
from puna.convert.tokenizer.special import Folder, special_keys, template_keys
from puna.convert.tokenizer.tiktoken import maker_of
from puna.errors import TokenizerError

__all__ = ["tokenizer_keys"]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
MAX_TOKENS = 1 << 21
_ADDED_SCORE, _UNMERGED_SCORE = -1000.0, -10000.0
_SPACE = "▁"
_BYTE = re.compile(r"^<0x[0-9A-Fa-f]{2}>$")
_CONTROL = re.compile(
    r"^(<pad>|<mask>|<2mass>|\[@BOS@\]|<\|.*\|>|<｜.*｜>|<unused\d+>|<start_of_turn>|<end_of_turn>)$"
)


@dataclass(slots=True)
class _Vocabulary:
    model: str
    tokens: list[str]
    types: list[int]
    scores: list[float] | None = None
    merges: list[str] | None = None
    keys: dict[str, Value] = field(default_factory=dict)

    def put(self, number: int, text: str, kind: int) -> None:
        """Set or add a token; ids between the last and this one stay unused."""
        if not 0 <= number < MAX_TOKENS:
            raise TokenizerError(f"tokenizer.json: token id {number} is out of range")
        self.pad(number + 1)
        self.tokens[number], self.types[number] = text, kind
        if self.scores is not None:
            self.scores[number] = _ADDED_SCORE

    def pad(self, n_tokens: int) -> None:
        """Unused tokens up to this number."""
        for number in range(len(self.tokens), n_tokens):
            self.tokens.append(f"[PAD{number}]")
            self.types.append(UNUSED)
            if self.scores is not None:
                self.scores.append(_UNMERGED_SCORE)

    def cut(self, n_tokens: int) -> None:
        """Without what is beyond this number: tokens that the model has no row for, as those that
        only stand for images.
        """
        if n_tokens:
            del self.tokens[n_tokens:], self.types[n_tokens:]
            if self.scores is not None:
                del self.scores[n_tokens:]

    def make_distinct(self) -> None:
        """Make texts distinct as the engine reads them: it stops at a zero byte, and ends the
        whole process where two are the same. The later one is never matched then.
        """
        seen: set[str] = set()
        for number, text in enumerate(self.tokens):
            whole = text.replace("\0", "␀")
            if whole in seen:
                whole, self.types[number] = f"[PAD{number}]", UNUSED
            seen.add(whole)
            self.tokens[number] = whole


def tokenizer_keys(folder: Folder, n_rows: int, pretokenizer: str = "") -> dict[str, Value]:
    """All keys of the tokenizer. `n_rows` are the embedding's; `pretokenizer` is the family's own
    choice.

    Raises TokenizerError for what is missing or unknown.
    """
    vocabulary = _read(folder, pretokenizer)
    vocabulary.pad(n_rows)
    vocabulary.cut(n_rows)
    vocabulary.make_distinct()
    keys: dict[str, Value] = {
        "tokenizer.ggml.model": vocabulary.model,
        "tokenizer.ggml.pre": "default",
        **vocabulary.keys,
        "tokenizer.ggml.tokens": vocabulary.tokens,
        "tokenizer.ggml.token_type": vocabulary.types,
    }
    if vocabulary.scores is not None:
        keys["tokenizer.ggml.scores"] = vocabulary.scores
    if vocabulary.merges is not None:
        keys["tokenizer.ggml.merges"] = vocabulary.merges
    special = special_keys(folder, vocabulary.tokens, vocabulary.model, vocabulary.keys)
    return keys | special | template_keys(folder)


def _read(folder: Folder, pretokenizer: str) -> _Vocabulary:
    model = folder.tokenizer.get("model")
    if (folder.path / "tokenizer.model").is_file() and not _is_ranks(folder):
        pieces = _from_pieces(folder)
        if not isinstance(model, dict) or _agree(pieces, model):
            return pieces
    if not isinstance(model, dict):
        if (folder.path / RWKV).is_file():
            return _from_lines(folder)
        if not folder.tokenizer:
            raise TokenizerError("no tokenizer.json, tokenizer.model or tekken.json in the folder")
        raise TokenizerError("tokenizer.json: has no model")
    match model.get("type", "BPE"):
        case "BPE":
            vocabulary = _from_bpe(folder, model, pretokenizer)
        case "Unigram":
            vocabulary = _from_unigram(folder, model)
        case "WordPiece":
            vocabulary = _from_wordpiece(folder, model)
        case other:
            raise TokenizerError(f"tokenizer.json: unknown tokenizer format {str(other)[:40]!r}")
    return vocabulary


def _is_ranks(folder: Folder) -> bool:
    """Whether the tokenizer.model is of tiktoken's form."""
    maker = maker_of(folder.path, folder.settings)
    return maker is not None and maker.file == "tokenizer.model"


def _agree(pieces: _Vocabulary, model: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.model has the same tokens at the same ids as tokenizer.json, the one that
    counts.
    """
    vocab = model.get("vocab")
    if isinstance(vocab, dict):
        return all(
            number < len(pieces.tokens) and pieces.tokens[number] == text
            for text, number in vocab.items()
            if type(number) is int and pieces.types[min(number, len(pieces.types) - 1)] == NORMAL
        )
    return isinstance(vocab, list) and len(vocab) <= len(pieces.tokens)


def _from_pieces(folder: Folder) -> _Vocabulary:
    pieces = read_pieces(folder.path / "tokenizer.model")
    vocabulary = _Vocabulary(
        "t5" if pieces.is_unigram else "llama", pieces.texts, pieces.types, pieces.scores
    )
    vocabulary.keys["tokenizer.ggml.add_space_prefix"] = pieces.add_dummy_prefix
    vocabulary.keys |= {
        f"tokenizer.ggml.{name}_token_id": number
        for name, number in pieces.special.items()
        if number < len(pieces.texts)
    }
    if pieces.is_unigram:
        vocabulary.keys["tokenizer.ggml.remove_extra_whitespaces"] = pieces.remove_extra_whitespaces
        if pieces.charsmap:
            vocabulary.keys["tokenizer.ggml.precompiled_charsmap"] = pieces.charsmap
    _add_added(vocabulary, folder)
    return vocabulary


def _from_lines(folder: Folder) -> _Vocabulary:
    """RWKV's: the first number means that a text begins or ends, an empty line ends an answer."""
    lines = read_lines(folder.path / RWKV)
    vocabulary = _Vocabulary("rwkv", ["<s>", *lines], [CONTROL] + [NORMAL] * len(lines))
    vocabulary.keys |= {"tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 0}
    if r"\n\n" in lines:
        vocabulary.keys["tokenizer.ggml.eot_token_id"] = 1 + lines.index(r"\n\n")
    return vocabulary


def _from_bpe(folder: Folder, model: Mapping[str, Any], pretokenizer: str) -> _Vocabulary:
    tokens, types = _by_id(model)
    merges = _merges(model)
    if _has_byte_level(folder.tokenizer):
        vocabulary = _Vocabulary("gpt2", tokens, types, merges=merges)
        told = pretokenizer == "gemma4" or maker_of(folder.path, folder.settings)
        pre = "" if told else pretokenizer
        pre = pre or find_pretokenizer(folder.tokenizer)
        vocabulary.keys["tokenizer.ggml.pre"] = pre
        if _has_prefix_space(folder.tokenizer):
            vocabulary.keys["tokenizer.ggml.add_space_prefix"] = True
    elif model.get("byte_fallback"):
        if pretokenizer == "gemma4":
            vocabulary = _Vocabulary("gemma4", tokens, types, _scores(tokens, merges), merges)
        else:
            vocabulary = _Vocabulary("llama", tokens, types, _scores(tokens, merges))
        for number, text in enumerate(tokens):
            if _BYTE.match(text):
                types[number] = BYTE
        vocabulary.keys["tokenizer.ggml.add_space_prefix"] = _has_dummy_prefix(folder.tokenizer)
    else:
        raise TokenizerError(
            "tokenizer.json: unknown tokenizer format: BPE neither of bytes nor with a fallback"
        )
    _add_added(vocabulary, folder)
    _mark_unknown(vocabulary, model)
    return vocabulary


def _scores(tokens: list[str], merges: list[str]) -> list[float]:
    """The engine merges the pair with the best score first: so the order of the merges gives the
    scores.
    """
    made: dict[str, float] = {}
    for rank, merge in enumerate(merges):
        made.setdefault(merge.replace(" ", ""), -float(rank + 1))
    return [0.0 if len(text) == 1 else made.get(text, _UNMERGED_SCORE) for text in tokens]


def _from_unigram(folder: Folder, model: Mapping[str, Any]) -> _Vocabulary:
    entries = model.get("vocab")
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_TOKENS:
        raise TokenizerError("tokenizer.json: the vocabulary is not a list")
    try:
        tokens = [str(text) for text, _ in entries]
        scores = [float(score) for _, score in entries]
    except (TypeError, ValueError, OverflowError) as cause:
        raise TokenizerError("tokenizer.json: the vocabulary is not pairs") from cause
    vocabulary = _Vocabulary("t5", tokens, [NORMAL] * len(tokens), scores)
    vocabulary.keys["tokenizer.ggml.add_space_prefix"] = _has_dummy_prefix(folder.tokenizer)
    steps = list(_steps(folder.tokenizer.get("normalizer"), "normalizers"))
    splits = _steps(folder.tokenizer.get("pre_tokenizer"), "pretokenizers")
    vocabulary.keys["tokenizer.ggml.remove_extra_whitespaces"] = any(
        step.get("type") in ("Replace", "WhitespaceSplit") or step.get("strip_right")
        for step in (*steps, *splits)
    )
    for step in steps:
        if step.get("type") == "Precompiled":
            try:
                charsmap = base64.b64decode(str(step.get("precompiled_charsmap")), validate=True)
            except ValueError as cause:
                raise TokenizerError("tokenizer.json: a charsmap is not base64") from cause
            vocabulary.keys["tokenizer.ggml.precompiled_charsmap"] = charsmap
    _add_added(vocabulary, folder)
    unknown = model.get("unk_id")
    if type(unknown) is int and 0 <= unknown < len(tokens):
        vocabulary.types[unknown] = UNKNOWN
        vocabulary.keys["tokenizer.ggml.unknown_token_id"] = unknown
    return vocabulary


def _from_wordpiece(folder: Folder, model: Mapping[str, Any]) -> _Vocabulary:
    tokens, types = _by_id(model)
    vocabulary = _Vocabulary("bert", tokens, types)
    _add_added(vocabulary, folder)
    _mark_unknown(vocabulary, model)
    vocabulary.tokens = [_word(text) for text in vocabulary.tokens]
    for step in _steps(folder.tokenizer.get("normalizer"), "normalizers"):
        if step.get("type") == "BertNormalizer":
            lowercase = bool(step.get("lowercase", True))
            strip = step.get("strip_accents")
            vocabulary.keys |= {
                "tokenizer.ggml.normalizer.lowercase": lowercase,
                "tokenizer.ggml.normalizer.strip_accents": lowercase
                if strip is None
                else bool(strip),
            }
    return vocabulary


def _word(text: str) -> str:
    """The engine marks beginnings of words, not their continuations."""
    if text.startswith("[") and text.endswith("]"):
        return text
    return text.removeprefix("##") if text.startswith("##") else _SPACE + text


def _by_id(model: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or not vocab:
        raise TokenizerError("tokenizer.json: has no vocabulary")
    numbers = list(vocab.values())
    if not all(type(n) is int and 0 <= n < MAX_TOKENS for n in numbers):
        raise TokenizerError("tokenizer.json: a token's id is out of range")
    vocabulary = _Vocabulary("", [], [])
    vocabulary.pad(max(numbers) + 1)
    for text, number in vocab.items():
        vocabulary.tokens[number], vocabulary.types[number] = text, NORMAL
    return vocabulary.tokens, vocabulary.types


def _merges(model: Mapping[str, Any]) -> list[str]:
    merges = []
    listed = model.get("merges") or ()
    if not isinstance(listed, list | tuple):
        raise TokenizerError("tokenizer.json: the merges are not a list")
    for merge in listed:
        if isinstance(merge, str):
            merges.append(merge)
        elif isinstance(merge, list) and len(merge) == 2:
            # a space within a part would look like the one between them
            merges.append(" ".join(str(part).replace(" ", "Ġ") for part in merge))
        else:
            raise TokenizerError("tokenizer.json: a merge is not of two parts")
    return merges


def _mark_unknown(vocabulary: _Vocabulary, model: Mapping[str, Any]) -> None:
    unknown = model.get("unk_token")
    if isinstance(unknown, str) and unknown in vocabulary.tokens:
        number = vocabulary.tokens.index(unknown)
        vocabulary.types[number] = UNKNOWN
        vocabulary.keys["tokenizer.ggml.unknown_token_id"] = number


def _add_added(vocabulary: _Vocabulary, folder: Folder) -> None:
    """Tokens that stand outside the model: those of each file, the later ones have
    the last word.
    """
    for added, place in folder.added.items():
        if type(place) is int:
            vocabulary.put(place, added, USER_DEFINED)
    for entry in folder.added_tokens():
        number, text = entry.get("id"), entry.get("content")
        if type(number) is not int or not isinstance(text, str):
            raise TokenizerError("tokenizer.json: an added token has no id or no text")
        special = bool(entry.get("special")) or bool(_CONTROL.match(text))
        if number < len(vocabulary.types) and vocabulary.types[number] in (UNKNOWN, BYTE):
            continue
        if vocabulary.model == "llama" and not special:
            text = text.replace(_SPACE, " ")
        vocabulary.put(number, text, CONTROL if special else USER_DEFINED)


def _steps(step: Any, inner: str) -> list[Mapping[str, Any]]:
    """The steps of a sequence, or the one step that stands alone."""
    if not isinstance(step, dict):
        return []
    if step.get("type") == "Sequence":
        parts = step.get(inner)
        listed = parts if isinstance(parts, list) else ()
        return [found for part in listed for found in _steps(part, inner)]
    return [step]


def _has_byte_level(tokenizer: Mapping[str, Any]) -> bool:
    steps = _steps(tokenizer.get("pre_tokenizer"), "pretokenizers")
    steps += _steps(tokenizer.get("decoder"), "decoders")
    return any(step.get("type") == "ByteLevel" for step in steps)


def _has_prefix_space(tokenizer: Mapping[str, Any]) -> bool:
    steps = _steps(tokenizer.get("pre_tokenizer"), "pretokenizers")
    return any(step.get("type") == "ByteLevel" and step.get("add_prefix_space") for step in steps)


def _has_dummy_prefix(tokenizer: Mapping[str, Any]) -> bool:
    """Whether a text gets a space before it."""
    steps = _steps(tokenizer.get("normalizer"), "normalizers")
    steps += _steps(tokenizer.get("pre_tokenizer"), "pretokenizers")
    return any(
        step.get("type") == "Prepend"
        or (
            step.get("type") == "Metaspace"
            and step.get(
                "prepend_scheme", "always" if step.get("add_prefix_space", True) else "never"
            )
            != "never"
        )
        for step in steps
    )
