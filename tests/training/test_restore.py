"""The bundled GGUF read back; it needs the packages of the training's extra."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training's packages are not installed")

import gguf

from training.cria.export import write_gguf
from training.cria.restore import read_model, read_tokenizer
from training.cria.tokenizer import assemble

FILE = Path(__file__).parents[2] / "puna/models/bundled/cria/cria.gguf"


def test_a_file_restored_and_exported_is_the_same(tmp_path: Path) -> None:
    reader = gguf.GGUFReader(FILE)
    tokenizer, made = tmp_path / "tokenizer.json", tmp_path / "made.gguf"
    assemble(*read_tokenizer(reader)).save(str(tokenizer))
    write_gguf(read_model(reader), tokenizer, made, gguf.GGMLQuantizationType.Q8_0)
    assert made.read_bytes() == FILE.read_bytes()


def test_another_model_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(other, "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match="not a cria"):
        read_model(gguf.GGUFReader(other))
