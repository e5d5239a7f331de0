"""Vocabularies of tiktoken's form, which have their tokens' bytes by rank and no merges."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.tokenizer.tiktoken import MAKERS, read_ranks
from puna.errors import TokenizerError
from tests.convert.tokens import keys_of, tokens_of
from tests.fakes.checkpoints import write_tokenizer

BYTES = [bytes([byte]) for byte in range(256)]


def write_ranks(folder: Path, kind: str, more: Iterable[bytes] = (), **settings: Any) -> None:
    """A vocabulary of tiktoken's form: the bytes, and more, for a class of tokenizers."""
    lines = [
        f"{base64.b64encode(raw).decode()} {rank}\n" for rank, raw in enumerate([*BYTES, *more])
    ]
    (folder / MAKERS[kind].file).write_text("".join(lines))
    said = {"tokenizer_class": kind, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))


MORE = (b"ab", b" a", b"abc", " é".encode()[:2])
MADE = {
    "Qwen 1": ("QWenTokenizer", "qwen2", {260: "<|endoftext|>", 262: "<|im_end|>"}, 468),
    "Hunyuan": ("HYTokenizer", "qwen2", {260: "<|endoftext|>", 264: "<|pad|>"}, 470),
    "Kimi": (
        "TikTokenTokenizer",
        "kimi-k2",
        {260: "<|reserved_token_260|>", 261: "[EOS]", 515: "<|reserved_token_515|>"},
        516,
    ),
    "GLM 4": ("ChatGLM4Tokenizer", "llama-bpe", {261: "[EOS]"}, 262),
}


@pytest.mark.parametrize(("kind", "splitter", "added", "count"), MADE.values(), ids=MADE)
def test_lines_of_bytes_and_ranks_are_a_vocabulary(
    tmp_path: Path, kind: str, splitter: str, added: dict[int, str], count: int
) -> None:
    has_end = "[EOS]" in added.values()
    named = {"261": {"content": "[EOS]", "special": True}} if has_end else {}
    write_ranks(tmp_path, kind, MORE, added_tokens_decoder=named)
    keys = keys_of(tmp_path)
    tokens = keys["tokenizer.ggml.tokens"]
    assert keys["tokenizer.ggml.pre"] == splitter
    assert keys["tokenizer.ggml.merges"] == ["a b", "Ġ a", "ab c", "Ġ Ã"]
    assert {number: tokens[number] for number in added} == added
    assert len(tokens) == count
    assert keys["tokenizer.ggml.add_bos_token"] is False
    end = max(added)
    assert tokens_of(tmp_path, f"abc{added[end]} a", framed=True) == [258, end, 257]


def test_a_tokenizer_json_counts_more_than_ranks(tmp_path: Path) -> None:
    write_ranks(tmp_path, "ChatGLM4Tokenizer", MORE)
    write_tokenizer(tmp_path)
    assert keys_of(tmp_path)["tokenizer.ggml.tokens"][:2] == ["<s>", "</s>"]


def test_ranks_of_an_unknown_class_are_not_read(tmp_path: Path) -> None:
    write_ranks(tmp_path, "QWenTokenizer")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PhiTokenizer"}')
    with pytest.raises(TokenizerError, match=r"no tokenizer\.json"):
        keys_of(tmp_path)


BROKEN_LINES = {
    "nothing": (b"\n\n", "has no tokens"),
    "no rank": (b"YQ== 0\nYg==\n", "line 2 is no token"),
    "no number": (b"YQ== x\n", "line 1 is no token"),
    "no base64": (b"?? 0\n", "line 1 is no token"),
    "below zero": (b"YQ== -1\n", "line 1 is out of range"),
    "too long": (base64.b64encode(b"a" * 513) + b" 0\n", "line 1 is out of range"),
    "bytes twice": (b"YQ== 0\nYQ== 1\n", "line 2 is there twice"),
    "a rank twice": (b"YQ== 0\nYg== 0\n", "two of the same rank"),
}


@pytest.mark.parametrize(("data", "word"), BROKEN_LINES.values(), ids=BROKEN_LINES)
def test_what_is_wrong_with_ranks_is_said(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "tiktoken.model"
    path.write_bytes(data)
    with pytest.raises(TokenizerError, match=f"tiktoken.model: .*{word}"):
        read_ranks(path)


@given(raw=st.binary(max_size=200))
def test_any_bytes_give_ranks_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "qwen.tiktoken"
    path.write_bytes(raw)
    try:
        ranks = read_ranks(path)
    except TokenizerError:
        return
    assert all(len(token) > 0 and rank >= 0 for token, rank in ranks.items())
