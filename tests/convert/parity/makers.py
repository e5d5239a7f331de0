"""Vocabularies of real models, out of the engine's source, as the files that their makers have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from puna.gguf.reader import read_header
from tests.convert.parity.pieces import BYTE_PAIRS, Normalizer, pieces_model

__all__ = [
    "EXTRA",
    "MERGED",
    "framing",
    "read_vocabulary",
    "splitter",
    "write_files",
    "write_merged",
]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
EXTRA = re.compile(r"\[PAD\d+\]")
"""Rows of the embedding that no text has: they are not in the maker's files."""


def splitter(pattern: str) -> dict[str, Any]:
    """A step that splits at a pattern and keeps what matches."""
    regex = {"Regex": pattern}
    return {"type": "Split", "pattern": regex, "behavior": "Isolated", "invert": False}


def framing(first: str, last: str, vocab: Mapping[str, int]) -> dict[str, Any]:
    """The step that puts a token before each text and one after; an empty one is none."""
    texts = [text for text in (first, last) if text]
    single = [{"SpecialToken": {"id": text, "type_id": 0}} for text in texts]
    single.insert(int(bool(first)), {"Sequence": {"id": "A", "type_id": 0}})
    special = {text: {"id": text, "ids": [vocab[text]], "tokens": [text]} for text in texts}
    steps = {"single": single, "pair": single, "special_tokens": special}
    return {"type": "TemplateProcessing", **steps}


def _bytes(*, use_regex: bool) -> dict[str, Any]:
    how = {"add_prefix_space": False, "trim_offsets": True}
    return {"type": "ByteLevel", **how, "use_regex": use_regex}


DIGITS = {"type": "Digits", "individual_digits": True}
RUNS = {"type": "Digits", "individual_digits": False}
PUNCTUATION = {"type": "Punctuation", "behavior": "Contiguous"}
PLAIN, AFTER = _bytes(use_regex=True), _bytes(use_regex=False)

# cased letters, as DeepSeek's first tokenizer lists them
_CASED = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-"
    "\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90"
    "-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d"
    "\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-"
    "\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4"
    "\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d"
    "\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4"
    "\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"
    "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"
    "\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    "\U000118a0-\U000118df\U0001e900-\U0001e943"
)

STEPS: Mapping[str, Sequence[dict[str, Any]]] = {
    "gpt-2": [PLAIN],
    "mpt": [PLAIN],
    "starcoder": [DIGITS, PLAIN],
    "refact": [DIGITS, PLAIN],
    "command-r": [DIGITS, PLAIN],
    "llama-bpe": [splitter(_WORDS + r"\p{N}{1,3}" + _REST), AFTER],
    "qwen2": [splitter(_WORDS + r"\p{N}" + _REST), AFTER],
    "qwen35": [splitter(_QWEN35), AFTER],
    "deepseek-coder": [
        *map(splitter, ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+")),
        DIGITS,
        AFTER,
    ],
    "deepseek-llm": [
        *map(
            splitter,
            (
                "[\r\n]",
                rf"\s?[{_CASED}]+",
                "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                r"\s+$",
                "[一-龥ࠀ-一가-\ud7ff]+",
            ),
        ),
        DIGITS,
        AFTER,
    ],
    "falcon": [PUNCTUATION, PLAIN, RUNS, splitter("[0-9][0-9][0-9]")],
    # these two are in files without a name: GPT-NeoX's steps are MPT's
    "gpt-neox": [PLAIN],
    "aquila": [PLAIN],
}
"""How each maker's tokenizer.json splits text, by the engine's name for it, or by the file's."""

_COMPOSED = {"mpt", "gpt-neox", "command-r", "qwen2", "qwen35"}
"""Those whose maker composes letters and their marks first."""


def read_vocabulary(path: Path) -> dict[str, Any]:
    """What a GGUF file says of its tokenizer, without the prefix of the keys."""
    keys = read_header(path, arrays=True).metadata
    return {name.removeprefix("tokenizer.ggml."): value for name, value in keys.items()}


def write_files(folder: Path, name: str, state: Mapping[str, Any]) -> None:
    """The maker's files of the vocabulary `name`."""
    tokens, types = state["tokens"], state["token_type"]
    match state["model"]:
        case "gpt2":
            kind = state.get("pre", name)
            _write_pairs(folder, tokens, types, state["merges"], STEPS[kind], kind in _COMPOSED)
        case "gemma4":
            _write_pairs(folder, tokens, types, state["merges"], None, composed=False)
        case "llama":
            _write_pieces(folder, state)
        case "t5":
            _write_unigram(folder, state)
        case "bert":
            _write_words(folder, tokens)
        case other:
            raise ValueError(other)


MERGED = ("llama-spm", "phi-3")
"""Those that have a tokenizer.json, too, with merges in place of scores."""


def write_merged(folder: Path, state: Mapping[str, Any]) -> None:
    """The tokenizer.json of SentencePiece's pairs: each piece is merged of any two that spell it,
    in the order of the scores.
    """
    tokens, types, scores = state["tokens"], list(state["token_type"]), state["scores"]
    types[tokens.index("<unk>")] = CONTROL
    vocab = {text: n for n, text in enumerate(tokens) if not EXTRA.fullmatch(text)}
    pairs = [
        (scores[number], left, text.removeprefix(left))
        for text, number in vocab.items()
        if types[number] == NORMAL
        for left in (text[:at] for at in range(1, len(text)))
        if left in vocab and text.removeprefix(left) in vocab
    ]
    pairs.sort(key=lambda pair: -pair[0])
    added = _added(tokens, types)
    if "<|user|>" in vocab:  # Phi-3's tags take the blanks after them along
        added = [
            {**each, "rstrip": each["content"] not in ("<unk>", "<s>", "<|endoftext|>")}
            for each in added
        ]
    blank = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    first = {"type": "Prepend", "prepend": "▁"}
    whole = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [first, blank]},
        "post_processor": framing("<s>", "", vocab),
        "decoder": {"type": "ByteFallback"},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocab,
            "merges": [[left, right] for _, left, right in pairs],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole))


def _added(tokens: Sequence[str], types: Sequence[int]) -> list[dict[str, Any]]:
    how = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": number, "content": text, "special": kind == CONTROL, **how}
        for number, (text, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (CONTROL, USER_DEFINED) and not EXTRA.fullmatch(text)
    ]


def _write_pairs(
    folder: Path,
    tokens: Sequence[str],
    types: Sequence[int],
    merges: Sequence[str],
    steps: Sequence[dict[str, Any]] | None,
    composed: bool,
) -> None:
    """Byte pairs. Without `steps` bytes stand for characters that are no tokens, and blanks are
    written as a letter, as Gemma does.
    """
    escape = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalizer = {"type": "NFC"} if composed else None
    vocab = {text: number for number, text in enumerate(tokens) if not EXTRA.fullmatch(text)}
    state = {
        "version": "1.0",
        "added_tokens": _added(tokens, types),
        "normalizer": normalizer if steps else escape,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": list(steps)} if steps else None,
        "post_processor": None if steps else framing("<bos>", "", vocab),
        "decoder": PLAIN if steps else {"type": "ByteFallback"},
        "model": {
            "type": "BPE",
            "unk_token": None if steps else "<unk>",
            "fuse_unk": not steps,
            "byte_fallback": not steps,
            "ignore_merges": "{1,3}" in str(steps),
            "vocab": vocab,
            "merges": list(merges),
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(state))


def _write_pieces(folder: Path, state: Mapping[str, Any]) -> None:
    """Llama's; what a maker of a later model added to it has a file of its own."""
    tokens, types = state["tokens"], list(state["token_type"])
    n_pieces = next(
        (n for n, text in enumerate(tokens) if text.startswith("<|") or EXTRA.fullmatch(text)),
        len(tokens),
    )
    types[:3] = (UNKNOWN if text == "<unk>" else CONTROL for text in tokens[:3])
    pieces = (tokens[:n_pieces], state["scores"][:n_pieces], types[:n_pieces])
    model = pieces_model(*pieces, BYTE_PAIRS, Normalizer(), tokens.index("<unk>"))
    (folder / "tokenizer.model").write_bytes(model)
    added = {
        text: n for n, text in enumerate(tokens) if n >= n_pieces and not EXTRA.fullmatch(text)
    }
    if added:
        (folder / "added_tokens.json").write_text(json.dumps(added))


def _write_unigram(folder: Path, state: Mapping[str, Any]) -> None:
    """XLM-R's: a charsmap, one blank for several, and a blank before the text."""
    charsmap = bytes(byte & 255 for byte in state["precompiled_charsmap"])
    n_tokens = sum(not EXTRA.fullmatch(text) for text in state["tokens"])
    model = pieces_model(
        state["tokens"][:n_tokens],
        state["scores"][:n_tokens],
        state["token_type"][:n_tokens],
        1,
        Normalizer(charsmap, state["add_space_prefix"], state["remove_extra_whitespaces"]),
        unknown=state["unknown_token_id"],
    )
    (folder / "tokenizer.model").write_bytes(model)


def _write_words(folder: Path, tokens: Sequence[str]) -> None:
    """Beginnings of words lose their mark, continuations get theirs."""
    plain = [
        text
        if text.startswith("[") and text.endswith("]")
        else text[1:]
        if text.startswith("▁")
        else f"##{text}"
        for text in tokens
    ]
    names = ("cls", "sep", "unk", "pad", "mask")
    special = [f"[{name.upper()}]" for name in names]
    types = [CONTROL if text in special else NORMAL for text in plain]
    vocab = {text: number for number, text in enumerate(plain)}
    state = {
        "version": "1.0",
        "added_tokens": _added(plain, types),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": framing("[CLS]", "[SEP]", vocab),
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(state))
    settings = {f"{name}_token": text for name, text in zip(names, special, strict=True)}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
