"""Vocabularies from before tokenizer.json, as the tokenizer.json that they stand for: BERT's
vocab.txt, and GPT-2's vocab.json with merges.txt.

How they split is in no file but told by the tokenizer's class: one that is not here is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from puna.convert.config import read_json
from puna.errors import TokenizerError

__all__ = ["LINES", "MERGES", "read_older"]

LINES, VOCABULARY, MERGES = "vocab.txt", "vocab.json", "merges.txt"
MAX_FILE = 64 << 20
_WORDS = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")
_CLASSES = MappingProxyType(
    {"bert": "BertTokenizer", "distilbert": "DistilBertTokenizer", "gpt2": "GPT2Tokenizer"}
)
_PLAIN = MappingProxyType({"type": "ByteLevel", "add_prefix_space": False, "use_regex": True})
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BYTES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "GPT2Tokenizer": _PLAIN,
        "RobertaTokenizer": _PLAIN,
        "Qwen2Tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": _QWEN2}},
                {**_PLAIN, "use_regex": False},
            ],
        },
    }
)


def read_older(folder: Path, settings: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """What the folder has in such files, empty where it has none that is known.

    `settings` are those of tokenizer_config.json, `model_type` is config.json's, by which the class
    goes where it is not said. Raises TokenizerError, BadCheckpoint.
    """
    kind = str(settings.get("tokenizer_class") or _CLASSES.get(model_type)).removesuffix("Fast")
    if kind in _WORDS and (folder / LINES).is_file():
        return _words(folder / LINES, settings)
    if kind in _BYTES and (folder / VOCABULARY).is_file() and (folder / MERGES).is_file():
        return _bytes(folder, _BYTES[kind], kind)
    return {}


def _words(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    vocab = {text: number for number, text in enumerate(_lines(path))}
    special = [text for text in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if text in vocab]
    around = [
        {"SpecialToken": {"id": "[CLS]"}},
        {"Sequence": {}},
        {"SpecialToken": {"id": "[SEP]"}},
    ]
    return {
        "added_tokens": [{"id": vocab[text], "content": text, "special": True} for text in special],
        "normalizer": {
            "type": "BertNormalizer",
            "lowercase": bool(settings.get("do_lower_case", True)),
            "strip_accents": settings.get("strip_accents"),
        },
        "post_processor": {"type": "TemplateProcessing", "single": around},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocab},
    }


def _bytes(folder: Path, steps: Mapping[str, Any], kind: str) -> dict[str, Any]:
    merges = [line for line in _lines(folder / MERGES) if line and not line.startswith("#version")]
    ends = {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 2]}
    return {
        "pre_tokenizer": dict(steps),
        "post_processor": ends if kind == "RobertaTokenizer" else None,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": read_json(folder / VOCABULARY), "merges": merges},
    }


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > MAX_FILE:
        raise TokenizerError(f"{path.name}: is over the limit of {MAX_FILE} bytes")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as cause:
        raise TokenizerError(f"{path.name}: is not UTF-8") from cause
    return text.removesuffix("\n").split("\n")
