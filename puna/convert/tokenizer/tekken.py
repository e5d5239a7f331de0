"""Mistral's tekken.json as the tokenizer.json that it stands for.

It has the bytes of each token by rank and no merges: a token is merged of the two parts that the
tokens before it leave of its bytes. Facts: the file itself, and mistral-common's reader of it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from puna.convert.config import read_json
from puna.errors import TokenizerError

__all__ = ["LETTERS", "NAME", "read_tekken"]

NAME = "tekken.json"
MAX_TOKENS = 1 << 21
_MAX_TOKEN = 512  # bytes of one token; the longest have 256
_PRINTABLE = (*range(33, 127), *range(161, 173), *range(174, 256))
LETTERS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(256 + number)
    for number, byte in enumerate(b for b in range(256) if b not in _PRINTABLE)
}
"""How byte-level vocabularies write each byte."""

_SPECIAL = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]"),
    *("[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]"),
)
"""The first special tokens where the file names none, as the oldest do not."""


def read_tekken(path: Path) -> dict[str, Any]:
    """The file as a tokenizer.json. Raises TokenizerError, BadCheckpoint."""
    state = read_json(path)
    config = state.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("pattern"), str):
        raise TokenizerError(f"{path.name}: has no pattern to split at")
    n_special = _count(path, config, "default_num_special_tokens")
    n_tokens = _count(path, config, "default_vocab_size") - n_special
    ranks = _ranks(path, state.get("vocab"), n_tokens)
    split = {"type": "Split", "pattern": {"Regex": config["pattern"]}, "behavior": "Isolated"}
    return {
        "added_tokens": _special(path, state.get("special_tokens"), n_special),
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [split, {"type": "ByteLevel", "use_regex": False}],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
        },
        "decoder": {"type": "ByteLevel"},
        "model": {
            "type": "BPE",
            "ignore_merges": True,
            "vocab": {_spell(raw): n_special + rank for raw, rank in ranks.items()},
            "merges": _merges(ranks),
        },
    }


def _count(path: Path, config: Mapping[str, Any], name: str) -> int:
    count = config.get(name)
    if type(count) is not int or not 0 <= count <= MAX_TOKENS:
        raise TokenizerError(f"{path.name}: {name} is no number of tokens")
    return count


def _ranks(path: Path, vocab: Any, n_tokens: int) -> dict[bytes, int]:
    """The bytes of the tokens that are used: the file may have more."""
    if not isinstance(vocab, list) or not 0 < n_tokens <= len(vocab):
        raise TokenizerError(f"{path.name}: has fewer tokens than it says")
    ranks: dict[bytes, int] = {}
    for rank, entry in enumerate(vocab[:n_tokens]):
        try:
            raw = base64.b64decode(entry["token_bytes"], validate=True)
        except (TypeError, KeyError, ValueError) as cause:
            raise TokenizerError(f"{path.name}: token {rank} has no bytes") from cause
        if not 0 < len(raw) <= _MAX_TOKEN or ranks.setdefault(raw, rank) != rank:
            raise TokenizerError(f"{path.name}: token {rank} is empty, too long, or there twice")
    return ranks


def _special(path: Path, listed: Any, n_special: int) -> list[dict[str, Any]]:
    names = dict(enumerate(_SPECIAL[:n_special]))
    if isinstance(listed, list):
        names = {}
        for entry in listed:
            rank, text = (
                (entry.get("rank"), entry.get("token_str"))
                if isinstance(entry, dict)
                else 2 * ("",)
            )
            if type(rank) is not int or not 0 <= rank < n_special or not isinstance(text, str):
                raise TokenizerError(f"{path.name}: a special token has no number or no text")
            names[rank] = text
    return [
        {"id": number, "content": names.get(number, f"<SPECIAL_{number}>"), "special": True}
        for number in range(n_special)
    ]


def _merges(ranks: Mapping[bytes, int]) -> list[list[str]]:
    """The pair that each token of several bytes is made of, in the order of the tokens."""
    merges = []
    for raw, rank in ranks.items():
        parts = _parts(raw, ranks, rank) if len(raw) > 1 else ()
        if len(parts) == 2:
            merges.append([_spell(part) for part in parts])
    return merges


def _parts(raw: bytes, ranks: Mapping[bytes, int], below: int) -> Sequence[bytes]:
    """What is left of the bytes when all tokens below this rank are merged."""
    parts = [raw[at : at + 1] for at in range(len(raw))]
    while len(parts) > 2:
        found = [
            (ranks.get(one + other, below), at) for at, (one, other) in enumerate(pairwise(parts))
        ]
        rank, at = min(found)
        if rank >= below:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _spell(raw: bytes) -> str:
    return "".join(LETTERS[byte] for byte in raw)
