"""Vocabularies of real models in the engine's source: as Hugging Face's files, and back.

python -m tests.convert.parity.vocabularies MODELS, a folder of ggml-vocab-*.gguf, .inp and .out

Each is written as the tokenizer.json or tokenizer.model that its maker has, converted, and must
tokenise the source's test texts to the ids beside them.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import llama_cpp

from puna.convert.config import Config
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.convert.write import open_file

__all__ = ["main"]

SEPARATOR = "\n__ggml_vocab_test__\n"
CONTROL, USER_DEFINED = 3, 4
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _split(*patterns: str) -> list[dict[str, Any]]:
    return [{"type": "Split", "pattern": {"Regex": each}} for each in patterns]


def _bytes(*, use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "use_regex": use_regex}


_DIGITS = {"type": "Digits", "individual_digits": True}
_PLAIN, _AFTER = _bytes(use_regex=True), _bytes(use_regex=False)

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

STEPS: Mapping[str, list[dict[str, Any]]] = {
    "gpt-2": [_PLAIN],
    "mpt": [_PLAIN],
    "starcoder": [_DIGITS, _PLAIN],
    "refact": [_DIGITS, _PLAIN],
    "command-r": [_DIGITS, _PLAIN],
    "llama-bpe": [*_split(_WORDS + r"\p{N}{1,3}" + _REST), _AFTER],
    "qwen2": [*_split(_WORDS + r"\p{N}" + _REST), _AFTER],
    "qwen35": [*_split(_QWEN35), _AFTER],
    "deepseek-coder": [
        *_split("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+"),
        _DIGITS,
        _AFTER,
    ],
    "deepseek-llm": [
        *_split(
            "[\r\n]",
            rf"\s?[{_CASED}]+",
            "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
            r"\s+$",
            "[一-龥ࠀ-一가-\ud7ff]+",
        ),
        _DIGITS,
        _AFTER,
    ],
    "falcon": [
        {"type": "Punctuation", "behavior": "Contiguous"},
        _PLAIN,
        *_split("[0-9][0-9][0-9]"),
    ],
}
"""How each maker's tokenizer.json splits text, by the engine's name for it."""


def main(models: Path) -> int:
    """One line for each vocabulary; status 1 if any differs."""
    failed = False
    for path in sorted(models.glob("ggml-vocab-*.gguf")):
        inputs = path.with_name(f"{path.name}.inp")
        if not inputs.exists():
            continue
        fields = gguf.GGUFReader(path).fields
        state = {name: field.contents() for name, field in fields.items()}
        texts = inputs.read_text("utf-8").split(SEPARATOR)
        lines = path.with_name(f"{path.name}.out").read_text().split("\n")
        wanted = [[int(number) for number in line.split()] for line in lines][: len(texts)]
        with tempfile.TemporaryDirectory() as name:
            word = _compare(Path(name), state, texts, wanted)
        failed = failed or "differ" in word
        sys.stdout.write(f"{path.name}: {word}\n")
    return int(failed)


def _compare(
    folder: Path, state: Mapping[str, Any], texts: list[str], wanted: list[list[int]]
) -> str:
    model, pre = state["tokenizer.ggml.model"], state.get("tokenizer.ggml.pre", "")
    tokens, types = state["tokenizer.ggml.tokens"], state["tokenizer.ggml.token_type"]
    if model == "gpt2":
        if pre not in STEPS:
            return f"passed over: {pre} is not in this table"
        _write_json(folder, tokens, types, state["tokenizer.ggml.merges"], STEPS[pre])
    elif model == "llama":
        (folder / "tokenizer.model").write_bytes(
            _pieces(tokens, state["tokenizer.ggml.scores"], types)
        )
    elif model == "bert":
        _write_words(folder, tokens)
    elif model == "gemma4":
        _write_json(folder, tokens, types, state["tokenizer.ggml.merges"], None)
    else:
        return f"passed over: {model}"
    own = model if model == "gemma4" else ""
    keys = tokenizer_keys(Folder.read(folder, Config({})), len(tokens), own)
    head = {"general.architecture": "llama", **keys}
    for flag in ("bos", "eos"):
        head[f"tokenizer.ggml.add_{flag}_token"] = False
    open_file(folder / "vocab.gguf", head, [])
    engine = llama_cpp.Llama(str(folder / "vocab.gguf"), vocab_only=True, verbose=False)
    texts = texts[: len(wanted)]
    got = [engine.tokenize(text.encode(), add_bos=False, special=False) for text in texts]
    wrong = [text for text, a, b in zip(texts, got, wanted, strict=True) if a != b]
    if wrong:
        return f"{len(wrong)} of {len(texts)} texts differ, the first is {wrong[0]!r}"
    return f"{len(texts)} texts have the same tokens, as {keys['tokenizer.ggml.pre']}"


def _write_json(
    folder: Path,
    tokens: list[str],
    types: list[int],
    merges: list[str],
    steps: list[dict[str, Any]] | None,
) -> None:
    """Without `steps` bytes stand for characters that are no tokens, and nothing is split."""
    added = [
        {"id": number, "content": text, "special": kind == CONTROL}
        for number, (text, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]
    names = {each["id"] for each in added}
    state = {
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps} if steps else None,
        "decoder": {"type": "ByteLevel" if steps else "ByteFallback"},
        "model": {
            "type": "BPE",
            "byte_fallback": not steps,
            "ignore_merges": "{1,3}" in str(steps),
            "vocab": {text: n for n, text in enumerate(tokens) if n not in names},
            "merges": merges,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(state))


def _write_words(folder: Path, tokens: list[str]) -> None:
    """Beginnings of words lose their mark, continuations get theirs."""
    plain = [
        text
        if text.startswith("[") and text.endswith("]")
        else text[1:]
        if text.startswith("▁")
        else f"##{text}"
        for text in tokens
    ]
    state = {
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "vocab": {text: number for number, text in enumerate(plain)},
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(state))
    names = ("cls", "sep", "unk", "pad", "mask")
    settings = {f"{name}_token": f"[{name.upper()}]" for name in names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _pieces(tokens: list[str], scores: list[float], types: list[int]) -> bytes:
    """A SentencePiece model of byte-pair merges."""
    raw = bytearray()
    for text, score, kind in zip(tokens, scores, types, strict=True):
        word = text.encode()
        piece = b"\x0a" + _varint(len(word)) + word + b"\x15" + struct.pack("<f", score)
        piece += b"\x18" + _varint(kind)
        raw += b"\x0a" + _varint(len(piece)) + piece
    trainer = b"\x18\x02"
    return bytes(raw + b"\x12" + _varint(len(trainer)) + trainer)


def _varint(number: int) -> bytes:
    raw = bytearray()
    while number > 127:
        raw.append(number & 127 | 128)
        number >>= 7
    raw.append(number)
    return bytes(raw)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
