"""Vocabularies in other files than tokenizer.json: Mistral's own, BERT's, pairs in two files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from puna.errors import TokenizerError
from tests.convert.tokens import LLAMA_PATTERN, keys_of, tokens_of
from tests.fakes.checkpoints import write_tokenizer


def write_tekken(folder: Path, *more: bytes, **changes: Any) -> None:
    """Mistral's own file: four special tokens of which two are named, the bytes, and more."""
    vocab = [bytes([byte]) for byte in range(256)] + list(more)
    state = {
        "config": {
            "pattern": LLAMA_PATTERN,
            "default_num_special_tokens": 4,
            "default_vocab_size": 4 + len(vocab),
        },
        "vocab": [{"token_bytes": base64.b64encode(raw).decode()} for raw in (*vocab, b"unused")],
        "special_tokens": [{"rank": 1, "token_str": "<s>"}, {"rank": 2, "token_str": "</s>"}],
    }
    (folder / "tekken.json").write_text(json.dumps(state | changes))


def test_mistrals_own_file_is_read_where_there_is_no_other(tmp_path: Path) -> None:
    write_tekken(tmp_path, b"ab", b" a", b"abc", " é".encode()[:2])
    keys = keys_of(tmp_path)
    assert keys["tokenizer.ggml.tokens"][:4] == ["<SPECIAL_0>", "<s>", "</s>", "<SPECIAL_3>"]
    assert len(keys["tokenizer.ggml.tokens"]) == 264
    assert keys["tokenizer.ggml.merges"] == ["a b", "Ġ a", "ab c", "Ġ Ã"]
    assert (keys["tokenizer.ggml.bos_token_id"], keys["tokenizer.ggml.eos_token_id"]) == (1, 2)
    assert tokens_of(tmp_path, "abc</s> a", framed=True) == [1, 262, 2, 261]


BROKEN_TEKKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no pattern": ({"config": {}}, "no pattern"),
    "more tokens than there are": (
        {"config": {"pattern": "x", "default_num_special_tokens": 0, "default_vocab_size": 999}},
        "fewer tokens than it says",
    ),
    "no number of them": (
        {"config": {"pattern": "x", "default_num_special_tokens": -1}},
        "is no number of tokens",
    ),
    "no bytes": ({"vocab": [{"token_bytes": "?"}] * 256}, "token 0 has no bytes"),
    "a token twice": ({"vocab": [{"token_bytes": "YQ=="}] * 256}, "token 1 is empty, too long, or"),
    "a special token beyond them": (
        {"special_tokens": [{"rank": 4, "token_str": "x"}]},
        "no number or no text",
    ),
}


@pytest.mark.parametrize(("changes", "word"), BROKEN_TEKKEN.values(), ids=BROKEN_TEKKEN)
def test_what_is_wrong_with_mistrals_own_file_is_said(
    tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    write_tekken(tmp_path, **changes)
    with pytest.raises(TokenizerError, match=f"tekken.json: .*{word}"):
        keys_of(tmp_path)


def test_berts_lines_are_read_where_there_is_no_tokenizer_json(tmp_path: Path) -> None:
    lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "é", "E", "##e", ""]
    (tmp_path / "vocab.txt").write_text("\n".join(lines))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    assert "tokenizer.ggml.normalizer.lowercase" in keys_of(tmp_path, model_type="bert")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert tokens_of(tmp_path, "é Ee e[MASK]", framed=True) == [2, 5, 6, 7, 1, 4, 3]


OLDER_BYTES = {
    "GPT-2's": ("GPT2Tokenizer", "gpt-2", False),
    "RoBERTa's": ("RobertaTokenizerFast", "gpt-2", True),
    "Qwen's": ("Qwen2Tokenizer", "qwen2", False),
}


@pytest.mark.parametrize(("kind", "splitter", "framed"), OLDER_BYTES.values(), ids=OLDER_BYTES)
def test_pairs_of_bytes_in_two_files_split_as_their_class_does(
    tmp_path: Path, kind: str, splitter: str, framed: bool
) -> None:
    write_tokenizer(tmp_path)
    state = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.json").write_text(json.dumps(state["vocab"]))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(state["merges"]) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))
    keys = keys_of(tmp_path)
    assert keys["tokenizer.ggml.pre"] == splitter
    assert keys["tokenizer.ggml.add_bos_token"] == framed
    assert tokens_of(tmp_path, "the") == [state["vocab"]["the"]]


def test_an_older_tokenizer_of_an_unknown_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\na")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')
    with pytest.raises(TokenizerError, match=r"no tokenizer\.json"):
        keys_of(tmp_path)
