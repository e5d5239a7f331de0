"""The JSON files of a checkpoint, one of them broken: what is prepared before weights are read."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from puna.convert.checkpoint import read_config
from puna.convert.families.registry import family_of
from puna.convert.model import model_keys
from puna.convert.plan import map_weights
from puna.convert.quantized import unpacked
from puna.convert.tensor import made
from puna.convert.write import open_file
from puna.gguf.reader import read_header
from tests.convert.parity.cases import CASES
from tests.fakes.checkpoints import LLAMA, llama_weights, write_tokenizer
from tests.fuzz.mutate import broken_json

__all__ = ["make_documents", "use_documents"]

_SPECIAL = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}}
_PIECES: list[list[Any]] = [["<unk>", 0], ["</s>", -1], ["\u2581the", -2.5], ["a", -3.5]]
_TOKENIZERS: dict[str, dict[str, Any]] = {
    "bytes": {},
    "splits": {
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": r"\s+|\S+"}, "behavior": "Isolated"},
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        },
        "decoder": {"type": "ByteLevel"},
    },
    "pieces": {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]},
        "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": _PIECES},
    },
    "words": {
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2, "##b": 3}},
    },
}
_OTHERS: dict[str, dict[str, Any]] = {
    "tokenizer_config.json": {
        **_SPECIAL,
        "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
        "chat_template": [{"name": "default", "template": "{{ messages }}"}],
        "add_bos_token": True,
    },
    "generation_config.json": {"bos_token_id": 0, "eos_token_id": [1, 2]},
    "special_tokens_map.json": _SPECIAL,
    "added_tokens.json": {"<more>": 5},
    "modules.json": {"0": {"type": "Pooling", "path": "1_Pooling"}},
}
_ROWS = [
    {**case.config, "model_type": case.model_type, "architectures": [case.architecture]}
    for case in CASES.values()
]
_WEIGHTS = {name: made(values, name) for name, values in llama_weights().items()}


def make_documents(chance: Random) -> bytes:
    """The kind of tokenizer, the name of a file, and what that one says."""
    kind = chance.choice(list(_TOKENIZERS))
    name = chance.choice(("config.json", "config.json", "tokenizer.json", *_OTHERS))
    whole = _OTHERS.get(name, _TOKENIZERS[kind] or {"model": {"type": "BPE", "vocab": {"a": 0}}})
    if name == "config.json":
        whole = dict(LLAMA) if chance.random() < 0.3 else chance.choice(_ROWS)
    return f"{kind}\n{name}\n".encode() + broken_json(chance, whole)


def use_documents(raw: bytes, folder: Path) -> None:
    """Whatever is made of the files is a header that reads."""
    kind, name, document = raw.split(b"\n", 2)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    write_tokenizer(folder, **_TOKENIZERS[kind.decode()])
    for other, said in _OTHERS.items():
        (folder / other).write_text(json.dumps(said))
    (folder / "modules.json").unlink()
    (folder / name.decode()).write_bytes(document)
    config = read_config(folder)
    family = family_of(config)
    family = family.final(config) or family
    weights = _WEIGHTS if family.architecture == "llama" else {}
    outputs = map_weights(family, config, unpacked(config, weights), "F32")
    open_file(folder / "o.gguf", model_keys(folder, config, family, outputs, "F32"), [])
    assert read_header(folder / "o.gguf").metadata["general.architecture"] == family.architecture
