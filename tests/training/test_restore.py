"""The bundled GGUF read back; it needs the packages of the training's extra."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training's packages are not installed")

import gguf
import numpy as np
from safetensors.numpy import load_file

from training.cria.export import write_folder
from training.cria.restore import read_model, read_tokenizer
from training.cria.tokenizer import assemble

FILE = Path(__file__).parents[2] / "puna/models/bundled/cria/cria.gguf"


def export(folder: Path) -> Path:
    """The folder that the restored weights are exported to."""
    reader = gguf.GGUFReader(FILE)
    tokenizer = folder / "tokenizer.json"
    assemble(*read_tokenizer(reader)).save(str(tokenizer))
    write_folder(read_model(reader), tokenizer, folder / "export")
    return folder / "export"


def test_a_file_restored_and_exported_has_the_same_weights(tmp_path: Path) -> None:
    written = load_file(export(tmp_path) / "model.safetensors")
    stored = {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(FILE).tensors
    }
    assert len(written) == len(stored)
    assert np.array_equal(written["model.embed_tokens.weight"], stored["token_embd.weight"])
    assert np.array_equal(
        written["model.layers.1.mlp.up_proj.weight"], stored["blk.1.ffn_up.weight"]
    )


def test_another_model_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(other, "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match="not a cria"):
        read_model(gguf.GGUFReader(other))
