"""What the engine takes in another way than a file says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from puna.convert.config import Config
from puna.convert.tokenizer.special import Folder
from puna.convert.tokenizer.vocabulary import tokenizer_keys
from puna.runner.llama.library import LOG
from puna.runner.llama.model import Model
from puna.runner.protocol import LoadPlan
from tests.fakes.checkpoints import write_tokenizer
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.monoliths import read_gguf, write_copy

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
    ("name", "count"), [("gpt-4o", 1), ("llama4", 1), ("tekken", 1), ("llama-bpe", 3)]
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
