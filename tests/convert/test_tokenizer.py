"""Tokenizers' files of strangers, and what of them cannot become the engine's."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.convert.tokenizer.pretokenizer import find_pretokenizer
from puna.convert.tokenizer.sentencepiece import read_pieces
from puna.errors import TokenizerError
from tests.convert.parity.pieces import UNIGRAM, Normalizer, pieces_model
from tests.convert.tokens import LLAMA_PATTERN, keys_of, tokens_of
from tests.fakes.checkpoints import write_tokenizer


def write_unigram(folder: Path, tokens: list[str], unknown: int, **changes: Any) -> None:
    """XLM-R's kind: a charsmap that changes nothing, and a blank before each word."""
    charsmap = base64.b64encode(struct.pack("<I", 1024) + bytes(1025)).decode()
    model = {"type": "Unigram", "unk_id": unknown, "vocab": [[text, -1.0] for text in tokens]}
    words = [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "prepend_scheme": "always"}]
    how: dict[str, Any] = {
        "added_tokens": [],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": words},
        "decoder": None,
        "model": model,
    }
    write_tokenizer(folder, **(how | changes))


@given(raw=st.binary(max_size=200))
def test_any_bytes_give_pieces_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "tokenizer.model"
    path.write_bytes(raw)
    try:
        pieces = read_pieces(path)
    except TokenizerError:
        return
    assert len(pieces.texts) == len(pieces.scores) == len(pieces.types) > 0


def test_a_way_of_splitting_that_the_engine_has_not_is_refused(tmp_path: Path) -> None:
    step = {"type": "Split", "pattern": {"Regex": "[aeiou]"}}
    write_tokenizer(
        tmp_path,
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [step, {"type": "ByteLevel", "use_regex": False}],
        },
    )
    with pytest.raises(TokenizerError, match=r"no pre-tokenizer that splits at '\[aeiou\]'"):
        keys_of(tmp_path)


_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDS}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDS}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def bytes_after(*patterns: str) -> list[dict[str, Any]]:
    """Steps that split at patterns before bytes become letters."""
    split = [{"type": "Split", "pattern": {"Regex": each}} for each in patterns]
    return [*split, {"type": "ByteLevel", "use_regex": False}]


SPLITTERS: dict[str, tuple[list[dict[str, Any]], bool, str]] = {
    "Llama 3's": (bytes_after(LLAMA_PATTERN), True, "llama-bpe"),
    "the same, with ends of lines as they are": (
        bytes_after(LLAMA_PATTERN.replace(r"\r", "\r").replace(r"\n", "\n")),
        False,
        "dbrx",
    ),
    "Falcon's, which splits bytes at digits": (
        [
            {"type": "Punctuation", "behavior": "Contiguous"},
            {"type": "ByteLevel"},
            {"type": "Digits", "individual_digits": False},
            {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}},
        ],
        False,
        "falcon",
    ),
    "Tiny Aya's": (bytes_after(r"\d{1,3}(?=(?:\d{3})*\b)", _O200K), False, "tiny_aya"),
}


@pytest.mark.parametrize(("steps", "whole", "name"), SPLITTERS.values(), ids=SPLITTERS)
def test_splitters_are_known_by_their_steps(
    steps: list[dict[str, Any]], whole: bool, name: str
) -> None:
    tokenizer = {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "model": {"ignore_merges": whole},
    }
    assert find_pretokenizer(tokenizer) == name


def test_phi_3s_tags_take_the_blanks_after_them_along(tmp_path: Path) -> None:
    tokens = ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|user|>", "<|end|>", "▁", "h", "▁h"]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    model = {
        "type": "BPE",
        "byte_fallback": True,
        "unk_token": "<unk>",
        "vocab": {token: number for number, token in enumerate(tokens)},
        "merges": [["▁", "h"]],
    }
    for strips, wanted in ((True, [4, 8]), (False, [4, 6, tokens.index("<0x0A>"), 7])):
        added = [
            {
                "id": n,
                "content": tokens[n],
                "special": n != 2,
                "rstrip": strips and n not in (0, 1, 3),
            }
            for n in range(6)
        ]
        write_tokenizer(
            tmp_path,
            added_tokens=added,
            normalizer={"type": "Prepend", "prepend": "▁"},
            pre_tokenizer=None,
            decoder=None,
            model=model,
        )
        assert tokens_of(tmp_path, "<|user|>\nh") == wanted


def test_rows_without_a_token_get_one_that_text_never_matches(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    keys = keys_of(tmp_path, 300)
    assert len(keys["tokenizer.ggml.tokens"]) == 300
    assert keys["tokenizer.ggml.token_type"][-1] == 5


def test_several_tokens_may_end_an_answer(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 7, 9, 9999]}))
    keys = keys_of(tmp_path)
    assert keys["tokenizer.ggml.eos_token_id"] == 1
    assert keys["tokenizer.ggml.eos_token_ids"] == [1, 7, 9]
    assert keys["tokenizer.ggml.eot_token_id"] == 7
    assert keys["tokenizer.ggml.eom_token_id"] == 9


def test_merges_give_the_scores_that_a_tokenizer_json_does_not_have(tmp_path: Path) -> None:
    tokens = ["<unk>", "<0x00>", "a", "b", "c", "ab", "abc"]
    write_tokenizer(
        tmp_path,
        added_tokens=[],
        normalizer={"type": "Prepend", "prepend": "▁"},
        pre_tokenizer=None,
        decoder=None,
        model={
            "type": "BPE",
            "byte_fallback": True,
            "unk_token": "<unk>",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [["a", "b"], ["ab", "c"]],
        },
    )
    keys = keys_of(tmp_path)
    assert keys["tokenizer.ggml.model"] == "llama"
    assert keys["tokenizer.ggml.token_type"] == [2, 6, 1, 1, 1, 1, 1]
    assert keys["tokenizer.ggml.scores"][2:] == [0, 0, 0, -1, -2]
    assert keys["tokenizer.ggml.add_space_prefix"] is True


def test_a_unigram_with_a_charsmap_splits_words_at_any_blanks(tmp_path: Path) -> None:
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "b", "▁b"]
    write_unigram(tmp_path, tokens, unknown=3)
    assert tokens_of(tmp_path, "  a  bab ? ") == [5, 7, 3, 6, 4, 3]


def test_tokens_that_are_the_same_to_the_engine_are_told_apart(tmp_path: Path) -> None:
    tokens = ["<unk>", "▁", "a", "b", "a\0b", "\0", "␀", "▁a"]
    write_unigram(tmp_path, tokens, unknown=0)
    keys = keys_of(tmp_path)
    assert keys["tokenizer.ggml.tokens"][4:7] == ["a␀b", "␀", "[PAD6]"]
    assert keys["tokenizer.ggml.token_type"][4:7] == [1, 1, 5]
    assert tokens_of(tmp_path, "ab") == [7, 3]  # and not the end of the process


def test_the_special_tokens_of_a_sentencepiece_model_are_its_trainers(tmp_path: Path) -> None:
    pieces = pieces_model(
        ["<pad>", "</s>", "<unk>", "▁a"], [0.0] * 4, [3, 3, 2, 1], UNIGRAM, Normalizer(), 2
    )
    (tmp_path / "tokenizer.model").write_bytes(pieces)
    assert keys_of(tmp_path)["tokenizer.ggml.unknown_token_id"] == 2
    assert tokens_of(tmp_path, "a ?") == [3, 2]


def template(*parts: str) -> dict[str, Any]:
    """A post-processor that puts these tokens around the text `A`."""
    single = [
        {"Sequence": {"id": "A"}} if part == "A" else {"SpecialToken": {"id": part}}
        for part in parts
    ]
    return {"type": "TemplateProcessing", "single": single}


FRAMES: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "one before and one after": (
        template("<s>", "A", "</s>"),
        {},
        {"add_bos_token": True, "bos_token_id": 0, "add_eos_token": True, "eos_token_id": 1},
    ),
    "another than the settings call the first": (
        template("</s>", "A"),
        {"bos_token": "<s>"},
        {"add_bos_token": True, "bos_token_id": 1, "add_eos_token": False},
    ),
    "another after it than ends an answer": (
        template("A", "<s>"),
        {"eos_token": "</s>"},
        {"add_bos_token": False, "add_eos_token": True, "eos_token_id": 0, "eot_token_id": 1},
    ),
    "two before it, which the template of a chat writes itself": (
        template("<s>", "</s>", "A"),
        {},
        {"add_bos_token": False, "add_eos_token": False},
    ),
    "none, and nobody says so": (None, {}, {"add_bos_token": False}),
    "one that is said and is not there": (None, {"add_bos_token": True}, {"add_bos_token": False}),
    "one that is said": (
        None,
        {"add_bos_token": True, "bos_token": "<s>"},
        {"add_bos_token": True, "bos_token_id": 0},
    ),
    "nothing that can be read": (
        {"type": "TemplateProcessing", "single": [[], {"SpecialToken": 3}]},
        {},
        {"add_bos_token": False, "add_eos_token": False},
    ),
}


@pytest.mark.parametrize(("step", "settings", "wanted"), FRAMES.values(), ids=FRAMES)
def test_a_text_gets_the_tokens_around_it_that_the_maker_puts_there(
    tmp_path: Path, step: Any, settings: dict[str, Any], wanted: dict[str, Any]
) -> None:
    write_tokenizer(tmp_path, post_processor=step)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    keys = {key.removeprefix("tokenizer.ggml."): value for key, value in keys_of(tmp_path).items()}
    names = ("add_bos_token", "bos_token_id", "add_eos_token", "eos_token_id", "eot_token_id")
    assert {name: keys[name] for name in names if name in keys} == wanted


def test_words_stand_between_their_own_cls_and_sep_whatever_their_numbers(tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]
    model = {"type": "WordPiece", "unk_token": "[UNK]"}
    write_tokenizer(
        tmp_path,
        added_tokens=[],
        normalizer={"type": "BertNormalizer"},
        pre_tokenizer={"type": "BertPreTokenizer"},
        post_processor=template("[CLS]", "A", "[SEP]"),
        model={**model, "vocab": {token: number for number, token in enumerate(tokens)}},
    )
    assert tokens_of(tmp_path, "a b", framed=True) == [2, 4, 1, 3]


TEMPLATES: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "a file of its own counts first": (
        {"chat_template.jinja": "file"},
        {"chat_template": "settings"},
        {"tokenizer.chat_template": "file"},
    ),
    "several with names": (
        {},
        {
            "chat_template": [
                {"name": "default", "template": "plain"},
                {"name": "tool_use", "template": "tools"},
            ]
        },
        {
            "tokenizer.chat_template": "plain",
            "tokenizer.chat_template.tool_use": "tools",
            "tokenizer.chat_templates": ["tool_use"],
        },
    ),
}


@pytest.mark.parametrize(("files", "settings", "wanted"), TEMPLATES.values(), ids=TEMPLATES)
def test_chat_templates_go_with_the_model(
    tmp_path: Path, files: dict[str, str], settings: dict[str, Any], wanted: dict[str, Any]
) -> None:
    write_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    keys = keys_of(tmp_path)
    assert {key: keys[key] for key in keys if "chat_template" in key} == wanted
