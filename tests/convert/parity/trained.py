"""Small tokenizers, trained on the nasty texts by the makers' own libraries.

Byte pairs are learned without splitting: their merges run over all ends of words, so a text that
the engine splits elsewhere gets other tokens.
"""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from puna.convert.tokenizer.pretokenizer import NAMES
from puna.convert.tokenizer.ranks import LETTERS
from puna.convert.tokenizer.sentencepiece import read_pieces
from puna.convert.tokenizer.tiktoken import MAKERS
from tests.convert.parity.makers import AFTER, DIGITS, PLAIN, PUNCTUATION, RUNS, framing, splitter
from tests.convert.parity.nasty import NASTY

__all__ = ["TRAINED"]

_SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "[INST]")
_DEFINED = ("<tool_call>", "<0>")
_STEPS: Mapping[str, dict[str, Any]] = {
    "GPT2": PLAIN,
    r"\p{N}": DIGITS,
    r"\p{N}+": RUNS,
    "PUNCTUATION": PUNCTUATION,
}


_OWN = ("tekken", "kimi-k2")


def _texts() -> list[str]:
    """What to learn from: each text as it is, and the short ones in one line."""
    texts = [text for text in NASTY.values() if "\0" not in text]
    return [*texts, " ".join(text for text in texts if len(text) < 100)]


def _save(state: Mapping[str, Any], folder: Path) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(state))


def _trained(
    tokenizer: Any, trainer: Any, first: str = "", last: str = "", defined: Sequence[str] = _DEFINED
) -> dict[str, Any]:
    """A tokenizer.json, with the tokens that a text gets before it and after."""
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.add_tokens([tokenizers.AddedToken(text, normalized=False) for text in defined])
    state: dict[str, Any] = json.loads(tokenizer.to_str())
    if first or last:
        vocab = tokenizer.get_vocab()
        state["post_processor"] = framing(first, last, vocab)
    return state


@cache
def _byte_pairs(steps: str = "", *, defined: bool = True) -> str:
    """A tokenizer.json of bytes, as text: what is remembered must not change. `steps` are those of
    a tokenizer.json, nothing is split without.
    """
    whole = tokenizers.Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if steps:
        whole = tokenizers.Tokenizer.from_str(
            json.dumps({**json.loads(whole.to_str()), "pre_tokenizer": json.loads(steps)})
        )
    whole.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=5000,
        min_frequency=1,
        special_tokens=list(_SPECIAL[1:]),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=9,
        show_progress=False,
    )
    return json.dumps(_trained(whole, trainer, defined=_DEFINED if defined else ()))


def _bytes_row(
    folder: Path, patterns: tuple[str, ...], *, whole: bool, normalizer: str = ""
) -> None:
    """Bytes that are split at these patterns first, as the engine's table has them."""
    steps = [_STEPS.get(pattern) or splitter(pattern) for pattern in patterns]
    if PLAIN not in steps:
        steps.append(AFTER)
    how = {"type": "Sequence", "pretokenizers": steps}
    # some of the engine's rules go with no vocabulary but one that is made so
    is_own = steps[-1] not in (PLAIN, AFTER) or NAMES.get((patterns, whole)) in _OWN
    state = json.loads(_byte_pairs(json.dumps(how) if is_own else ""))
    state["pre_tokenizer"] = how
    state["normalizer"] = {"type": normalizer} if normalizer else None
    state["model"]["ignore_merges"] = whole
    _save(state, folder)


def _tekken(folder: Path) -> None:
    """Mistral's own file; the library reads the tokenizer.json that stands for the same."""
    patterns = next(patterns for (patterns, _), name in NAMES.items() if name == "tekken")
    how = {"type": "Sequence", "pretokenizers": [splitter(patterns[0]), AFTER]}
    state = json.loads(_byte_pairs(json.dumps(how), defined=False))
    state["pre_tokenizer"] = how
    state["model"]["ignore_merges"] = True
    special = [each["content"] for each in state["added_tokens"]]
    raw = _raw(state)
    tekken = {
        "config": {
            "pattern": patterns[0],
            "default_vocab_size": len(special) + len(raw),
            "default_num_special_tokens": len(special),
        },
        "vocab": [{"token_bytes": base64.b64encode(each).decode()} for each in raw],
        "special_tokens": [
            {"rank": n, "token_str": text, "is_control": True} for n, text in enumerate(special)
        ],
    }
    (folder / "tekken.json").write_text(json.dumps(tekken))
    (folder / "maker").mkdir()
    state["post_processor"] = framing("<s>", "", state["model"]["vocab"])
    _save(state, folder / "maker")


def _raw(state: Mapping[str, Any]) -> list[bytes]:
    """The bytes of the tokens in their order, without those that are added."""
    vocab = sorted(state["model"]["vocab"].items(), key=lambda each: each[1])
    byte_of = {letter: byte for byte, letter in LETTERS.items()}
    texts = [text for text, _ in vocab][len(state["added_tokens"]) :]
    return [bytes(byte_of[letter] for letter in text) for text in texts]


def _ranks(folder: Path, kind: str) -> None:
    """Lines of tiktoken's form, learned by the maker's rule; a few tokens have names."""
    maker = MAKERS[kind]
    how = {"type": "Sequence", "pretokenizers": [splitter(maker.pattern), AFTER]}
    raw = _raw(json.loads(_byte_pairs(json.dumps(how), defined=False)))
    lines = [f"{base64.b64encode(each).decode()} {rank}\n" for rank, each in enumerate(raw)]
    (folder / maker.file).write_text("".join(lines))
    names = () if maker.special else ("[BOS]", "[EOS]", "<|im_end|>")
    named = {
        str(number): {"content": text, "special": True}
        for number, text in enumerate(names, len(raw))
    }
    settings = {"tokenizer_class": kind, "added_tokens_decoder": named}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _spaced_bytes(folder: Path) -> None:
    """A blank before the text, as some relatives of GPT-2 have it."""
    state = json.loads(_byte_pairs())
    state["pre_tokenizer"] = {**PLAIN, "add_prefix_space": True}
    _save(state, folder)


def _framed_bytes(folder: Path) -> None:
    """A token before the text and one after."""
    state = json.loads(_byte_pairs())
    ends = {"sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}
    state["post_processor"] = {"type": "RobertaProcessing", **ends}
    state["pre_tokenizer"] = PLAIN
    _save(state, folder)


def _fallback(folder: Path, normalizer: Any, splitter_: Any = None) -> None:
    """Pairs of characters, and bytes for those that are none: Llama's, Mistral's, Gemma's."""
    model = models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    whole = tokenizers.Tokenizer(model)
    if normalizer is not None:
        whole.normalizer = normalizer
    if splitter_ is not None:
        whole.pre_tokenizer = splitter_
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        min_frequency=1,
        special_tokens=[*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))],
        limit_alphabet=300,
        max_token_length=9,
        show_progress=False,
    )
    state = _trained(whole, trainer, "<s>")
    bytes_ = {f"<0x{byte:02X}>" for byte in range(256)}
    added = state["added_tokens"]
    state["added_tokens"] = [each for each in added if each["content"] not in bytes_]
    _save(state, folder)


def _unigram(folder: Path, rule: str, *, words: bool = False, bytes_: bool = False) -> None:
    """T5's, with a charsmap and a blank before the text; XLM-R's has one before each of the words
    that blanks are between.
    """
    whole = tokenizers.Tokenizer(models.Unigram())
    steps: list[Any] = [normalizers.Precompiled(_charsmap(rule))] if rule else []
    blanks = [normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), "▁")]
    whole.normalizer = normalizers.Sequence(steps + ([] if words else blanks))
    blank = pre_tokenizers.Metaspace(prepend_scheme="always")
    whole.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), blank]) if words else blank
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=1200,
        unk_token="<unk>",
        special_tokens=[*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256 if bytes_ else 0))],
        show_progress=False,
    )
    state = _trained(whole, trainer, "<s>" if words else "", "</s>")
    state["model"]["byte_fallback"] = bytes_
    added = state["added_tokens"]
    state["added_tokens"] = [each for each in added if not each["content"].startswith("<0x")]
    _save(state, folder)


def _words(folder: Path, *, lowercase: bool, strip: bool | None = None) -> None:
    """BERT's: the longest piece that fits, then the rest of the word."""
    whole = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    whole.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip)
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=1500,
        min_frequency=1,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False,
    )
    _save(_trained(whole, trainer, "[CLS]", "[SEP]", ()), folder)


def _pieces(folder: Path, kind: str, **changes: Any) -> None:
    """A tokenizer.model of SentencePiece's own trainer; Llama's settings but for the changes."""
    settings = {
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "add_dummy_prefix": True,
        "byte_fallback": True,
        "split_digits": True,
        "allow_whitespace_only_pieces": True,
        "vocab_size": 1600,
        "character_coverage": 0.98,
        "control_symbols": list(_SPECIAL[3:]),
        **changes,
    }
    (folder / "tokenizer.model").write_bytes(_train(kind, settings))


def _train(kind: str, settings: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_lines(),
        model_writer=file,
        model_type=kind,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **settings,
    )
    return file.getvalue()


def _lines() -> Iterator[str]:
    """The trainer reads lines, and no zero bytes."""
    for text in _texts():
        for line in text.splitlines():
            if line.strip() and "\0" not in line:
                yield line


@cache
def _charsmap(rule: str) -> bytes:
    """How SentencePiece writes a rule of normalisation."""
    model = _train("bpe", {"normalization_rule_name": rule, "vocab_size": 1600})
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "tokenizer.model"
        path.write_bytes(model)
        return read_pieces(path).charsmap


def _row(patterns: tuple[str, ...], name: str) -> str:
    """The engine's name for such steps, with more where several share it."""
    if name == "falcon":
        return f"falcon, {len(patterns)} steps{', digits' * (DIGITS in map(_STEPS.get, patterns))}"
    return name


_BLANK = normalizers.Replace(" ", "▁")
_GEMMA = ("\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "\t", "<start_of_turn>", "<table>")

TRAINED: Mapping[str, Callable[[Path], None]] = {
    **{
        f"bytes, {_row(patterns, name)}": partial(_bytes_row, patterns=patterns, whole=whole)
        for (patterns, whole), name in NAMES.items()
    },
    "bytes, composed": partial(_bytes_row, patterns=("GPT2",), whole=False, normalizer="NFC"),
    "bytes, blank first": _spaced_bytes,
    "bytes, RoBERTa": _framed_bytes,
    "bytes, tekken.json": _tekken,
    **{f"ranks, {kind}": partial(_ranks, kind=kind) for kind in MAKERS},
    "pairs, Llama 2": partial(
        _fallback, normalizer=normalizers.Sequence([normalizers.Prepend("▁"), _BLANK])
    ),
    "pairs, Mistral": partial(
        _fallback,
        normalizer=None,
        splitter_=pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
    ),
    "pairs, Gemma": partial(
        _fallback,
        normalizer=_BLANK,
        splitter_=pre_tokenizers.Split(" ", "merged_with_previous"),
    ),
    "unigram, T5": partial(_unigram, rule="nmt_nfkc"),
    "unigram, XLM-R": partial(_unigram, rule="nmt_nfkc", words=True),
    "unigram, folded": partial(_unigram, rule="nmt_nfkc_cf"),
    "unigram, bytes": partial(_unigram, rule="nmt_nfkc", bytes_=True),
    "words, uncased": partial(_words, lowercase=True),
    "words, cased": partial(_words, lowercase=False),
    "words, uncased with accents": partial(_words, lowercase=True, strip=False),
    "words, cased without accents": partial(_words, lowercase=False, strip=True),
    "pieces, Llama": partial(_pieces, kind="bpe"),
    "pieces, no blank first": partial(_pieces, kind="bpe", add_dummy_prefix=False),
    "pieces, Gemma": partial(
        _pieces, kind="bpe", add_dummy_prefix=False, user_defined_symbols=list(_GEMMA)
    ),
    "pieces, own symbols": partial(_pieces, kind="bpe", user_defined_symbols=list(_DEFINED)),
    "pieces, trainer's defaults": partial(
        _pieces,
        kind="bpe",
        normalization_rule_name="nmt_nfkc",
        remove_extra_whitespaces=True,
    ),
    "pieces, T5": partial(
        _pieces,
        kind="unigram",
        normalization_rule_name="nmt_nfkc",
        remove_extra_whitespaces=True,
        byte_fallback=False,
    ),
    "pieces, unigram": partial(_pieces, kind="unigram", byte_fallback=False),
    "pieces, unigram, no blank first": partial(
        _pieces, kind="unigram", byte_fallback=False, add_dummy_prefix=False
    ),
    "pieces, unigram, own symbols": partial(
        _pieces, kind="unigram", byte_fallback=False, user_defined_symbols=list(_DEFINED)
    ),
    "pieces, unigram, bytes": partial(_pieces, kind="unigram"),
}
"""By its kind and whose it is like: writes its files into a folder."""
