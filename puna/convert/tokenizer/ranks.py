"""Vocabularies that have the bytes of each token by rank and no merges: a token is merged of the
two parts that the tokens before it leave of its bytes. Mistral's tekken.json is one, those that
tiktoken reads are others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

__all__ = ["LETTERS", "MAX_TOKEN", "MAX_TOKENS", "as_tokenizer", "spell"]

MAX_TOKENS = 1 << 21
MAX_TOKEN = 512  # bytes of one token; the longest have 256
_PRINTABLE = (*range(33, 127), *range(161, 173), *range(174, 256))
LETTERS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(256 + number)
    for number, byte in enumerate(b for b in range(256) if b not in _PRINTABLE)
}
"""How byte-level vocabularies write each byte."""


def as_tokenizer(
    ranks: Mapping[bytes, int], pattern: str, first: int, added: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The tokenizer.json that stands for the bytes of tokens by rank, the first of which has the
    number `first`; texts are split at `pattern`, and `added` are the tokens that are no bytes.
    """
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
    return {
        "added_tokens": list(added),
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [split, {"type": "ByteLevel", "use_regex": False}],
        },
        "decoder": {"type": "ByteLevel"},
        "model": {
            "type": "BPE",
            "ignore_merges": True,
            "vocab": {spell(raw): first + rank for raw, rank in ranks.items()},
            "merges": _merges(ranks),
        },
    }


def _merges(ranks: Mapping[bytes, int]) -> list[list[str]]:
    """The pair that each token of several bytes is made of, in the order of the tokens."""
    merges = []
    for raw, rank in ranks.items():
        parts = _parts(raw, ranks, rank) if len(raw) > 1 else ()
        if len(parts) == 2:
            merges.append([spell(part) for part in parts])
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


def spell(raw: bytes) -> str:
    """Bytes as a byte-level vocabulary writes them."""
    return "".join(LETTERS[byte] for byte in raw)
