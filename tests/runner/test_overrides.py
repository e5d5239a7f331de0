"""What the engine takes in another way than a file says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from puna.convert.config import Config
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.gguf.types import ValueType
from puna.gguf.values import ArrayInfo
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.llama.overrides import splitter_of
from puna.runner.protocol import LoadPlan
from tests.fakes.checkpoints import write_tokenizer
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.monoliths import read_gguf, write_copy

PRE, KIND, TOKENS = (f"tokenizer.ggml.{name}" for name in ("pre", "model", "tokens"))
SYLLABLE = "\u0915\u093f"  # a Hindi letter and its mark, which change nothing by themselves


def with_splitter(folder: Path, name: str) -> Path:
    """A model of bytes whose merges make one token of the syllable, if nothing splits it."""
    keys, weights = read_gguf(make_tiny_llama(folder / "pieces.gguf"))
    write_tokenizer(folder)
    state = json.loads((folder / "tokenizer.json").read_text())
    vocab = state["model"]["vocab"]
    letters = dict(zip(range(256), list(vocab)[2:258], strict=True))
    whole, merges = letters[SYLLABLE.encode()[0]], []
    for byte in SYLLABLE.encode()[1:]:
        merges.append([whole, letters[byte]])
        whole += letters[byte]
        vocab[whole] = len(vocab)
    write_tokenizer(folder, model={**state["model"], "merges": merges})
    n_rows = len(weights["token_embd.weight"])
    tokens = tokenizer_keys(Folder.read(folder, Config({})), n_rows)
    own = {key: value for key, value in keys.items() if not key.startswith("tokenizer.")}
    del tokens["tokenizer.ggml.add_bos_token"]
    bytes_ = {**tokens, "tokenizer.ggml.pre": name, "tokenizer.ggml.bos_token_id": 0}
    return write_copy(folder / f"{name}.gguf", own | bytes_, weights)


@pytest.mark.parametrize(
    ("name", "count"),
    [("gpt-4o", 1), ("llama4", 1), ("tekken", 1), ("kimi-k2", 1), ("llama-bpe", 3)],
)
def test_marks_are_parts_of_words_where_the_maker_has_them_so(
    tmp_path: Path, name: str, count: int
) -> None:
    LOG.attach(lambda level, line: None)
    model = Model(LoadPlan(model=str(with_splitter(tmp_path, name))), lambda fraction: None)
    tokens = model.tokenize(SYLLABLE, add_special=False, parse_special=True)
    model.close()
    assert len(tokens) == count


@pytest.mark.parametrize(("name", "adds"), [("gpt-4o", False), ("tekken", True)])
def test_another_splitter_adds_no_other_token_before_a_text(
    tmp_path: Path, name: str, adds: bool
) -> None:
    LOG.attach(lambda level, line: None)
    model = Model(LoadPlan(model=str(with_splitter(tmp_path, name))), lambda fraction: None)
    assert model.adds_bos == adds
    model.close()


UNSAID = {
    "Qwen 1.5": ("qwen2", 151_936, {}, "qwen2"),
    "Llama 3 with tokens of a fine-tune's own": ("llama", 128_258, {PRE: "default"}, "llama-bpe"),
    "DeepSeek Coder": ("llama", 32_256, {}, "deepseek-coder"),
    "StableLM 2": ("stablelm", 100_352, {}, "stablelm2"),
    "StableLM": ("stablelm", 50_304, {}, "gpt-2"),
    "a vocabulary that is not known": ("llama", 50_000, {}, None),
    "an architecture that is not known": ("arctic", 32_256, {}, None),
    "pieces, which are not cut before": ("llama", 32_256, {KIND: "llama"}, None),
    "a file that says it": ("qwen2", 151_936, {PRE: "gpt-2"}, "gpt-2"),
}


@pytest.mark.parametrize(("architecture", "count", "more", "expected"), UNSAID.values(), ids=UNSAID)
def test_how_old_vocabularies_are_cut_is_known(
    architecture: str, count: int, more: dict[str, str], expected: str | None
) -> None:
    tokens = ArrayInfo(ValueType.STRING, count)
    keys = {"general.architecture": architecture, TOKENS: tokens, KIND: "gpt2", **more}
    assert splitter_of(keys) == expected


def test_the_engine_is_told_how_an_old_file_is_cut(tmp_path: Path) -> None:
    keys, weights = read_gguf(with_splitter(tmp_path, "default"))
    renamed = {key.replace("llama.", "qwen2.", 1): value for key, value in keys.items()}
    del renamed[PRE]
    path = write_copy(tmp_path / "m.gguf", renamed | {"general.architecture": "qwen2"}, weights)
    said: list[str] = []
    LOG.attach(lambda level, line: said.append(line))
    model = Model(LoadPlan(model=str(path)), lambda fraction: None)
    assert len(model.tokenize("12", add_special=False, parse_special=True)) == 2
    model.close()
    assert any(PRE in line and "qwen2" in line for line in said)
    assert not any("missing pre-tokenizer" in line for line in said)
