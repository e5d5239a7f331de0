"""Mistral's tekken.json as the tokenizer.json that it stands for.

Facts: the file itself, and mistral-common's reader of it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from puna.convert.config import read_json
from puna.convert.tokenizer.ranks import MAX_TOKEN, MAX_TOKENS, as_tokenizer
from puna.errors import TokenizerError

__all__ = ["NAME", "read_tekken"]

NAME = "tekken.json"

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
    special = _special(path, state.get("special_tokens"), n_special)
    return {
        **as_tokenizer(ranks, config["pattern"], n_special, special),
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
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
        if not 0 < len(raw) <= MAX_TOKEN or ranks.setdefault(raw, rank) != rank:
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
