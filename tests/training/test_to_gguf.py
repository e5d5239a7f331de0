"""The exported folder becomes the bundled file's tensors by Puna's own conversion; it needs the
packages of the training's extra beside the engine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training's packages are not installed")
pytest.importorskip("llama_cpp", reason="the engine is not installed beside them")

import gguf
import numpy as np

from tests.training.test_restore import FILE, export
from training.cria.to_gguf import write_both


def test_the_folder_converts_to_the_bundled_tensors(tmp_path: Path) -> None:
    made = tmp_path / "small.gguf"
    asyncio.run(write_both(export(tmp_path), tmp_path / "whole.gguf", made))
    bundled, converted = gguf.GGUFReader(FILE), gguf.GGUFReader(made)
    ours = {tensor.name: tensor.data for tensor in converted.tensors}
    assert len(ours) == len(bundled.tensors)
    for tensor in bundled.tensors:
        assert np.array_equal(tensor.data, ours[tensor.name]), tensor.name
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.chat_template"):
        assert converted.fields[key].contents() == bundled.fields[key].contents()
