"""Vocabularies of tiktoken's form as the tokenizer.json that they stand for: a line for each token,
its bytes in base64 and its rank. How texts are split, and which tokens are no bytes, is in no file
but told by the tokenizer's class: one that is not here is not read.

Facts: the classes that makers ship with Qwen 1, GLM 4, Kimi and Hunyuan.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from puna.convert.tokenizer.pretokenizer import KIMI, LLAMA3, QWEN2
from puna.convert.tokenizer.ranks import MAX_TOKEN, MAX_TOKENS, as_tokenizer
from puna.errors import TokenizerError

__all__ = ["MAKERS", "Maker", "maker_of", "read_ranks", "read_tiktoken"]

MAX_FILE = 64 << 20
_ENDINGS = ("<|endoftext|>", "<|startoftext|>", "<|bos|>", "<|eos|>", "<|pad|>")


def _numbered(n_tokens: int) -> tuple[str, ...]:
    return tuple(f"<|extra_{number}|>" for number in range(n_tokens))


@dataclass(frozen=True, slots=True)
class Maker:
    """What a class of tokenizers knows and no file says."""

    file: str
    """The name of the file with the ranks."""

    pattern: str
    """What texts are split at."""

    special: tuple[str, ...] = ()
    """The tokens whose numbers follow those of the file."""

    n_reserved: int = 0
    """How many numbers follow for tokens that other files may name, and for which there are names
    where none does.
    """

    composed: bool = False
    """Whether texts are composed first (NFC)."""


MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "QWenTokenizer": Maker(
            "qwen.tiktoken",
            QWEN2,
            ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *_numbered(205)),
            composed=True,
        ),
        "HYTokenizer": Maker("hy.tiktoken", QWEN2, (*_ENDINGS, *_numbered(205)), composed=True),
        "ChatGLM4Tokenizer": Maker("tokenizer.model", LLAMA3),
        "TikTokenTokenizer": Maker("tiktoken.model", KIMI, n_reserved=256),
    }
)
"""By `tokenizer_class`."""


def maker_of(folder: Path, settings: Mapping[str, Any]) -> Maker | None:
    """Whose vocabulary is in the folder, if it is one of these. `settings` are those of
    tokenizer_config.json.
    """
    maker = MAKERS.get(str(settings.get("tokenizer_class")))
    return maker if maker and (folder / maker.file).is_file() else None


def read_tiktoken(folder: Path, maker: Maker, named: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The vocabulary as a tokenizer.json. `named` are the tokens that other files name, each with
    its `id` and `content`. Raises TokenizerError.
    """
    ranks = read_ranks(folder / maker.file)
    first = 1 + max(ranks.values())
    texts = dict(enumerate(maker.special, first))
    texts |= {
        number: f"<|reserved_token_{number}|>" for number in range(first, first + maker.n_reserved)
    }
    for entry in named:
        texts.pop(entry["id"], None)
    added = [{"id": number, "content": text, "special": True} for number, text in texts.items()]
    whole = as_tokenizer(ranks, maker.pattern, 0, added)
    return {**whole, "normalizer": {"type": "NFC"} if maker.composed else None}


def read_ranks(path: Path) -> dict[bytes, int]:
    """The bytes of the tokens and their ranks, in their order. Raises TokenizerError."""
    if path.stat().st_size > MAX_FILE:
        raise TokenizerError(f"{path.name}: is over the limit of {MAX_FILE} bytes")
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            spelt, said = line.split()
            raw, rank = base64.b64decode(spelt, validate=True), int(said)
        except ValueError as cause:
            raise TokenizerError(f"{path.name}: line {number} is no token and its rank") from cause
        if not 0 < len(raw) <= MAX_TOKEN or not 0 <= rank < MAX_TOKENS:
            raise TokenizerError(f"{path.name}: line {number} is out of range")
        if ranks.setdefault(raw, rank) != rank:
            raise TokenizerError(f"{path.name}: line {number} is there twice")
    if not ranks or len(set(ranks.values())) != len(ranks):
        raise TokenizerError(f"{path.name}: has no tokens, or two of the same rank")
    return dict(sorted(ranks.items(), key=lambda pair: pair[1]))
