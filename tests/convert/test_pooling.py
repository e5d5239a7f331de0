"""What modules.json of sentence-transformers says of a text's vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from puna.convert.plan import Output
from puna.convert.pooling import dense_keys, dense_weights, pooling_keys
from puna.errors import BadCheckpoint
from tests.fakes.checkpoints import write_safetensors

_LINEAR = {"activation_function": "torch.nn.modules.linear.Identity"}
_WIDE, _BACK = np.ones((12, 4), np.float32), np.ones((4, 12), np.float32)


def make_modules(folder: Path, modules: Mapping[str, Mapping[str, Any]]) -> Path:
    """A folder for each module, its kind being the name's end."""
    names = [{"path": name, "type": f"models.{name.split('_')[1]}"} for name in modules]
    (folder / "modules.json").write_text(json.dumps(names))
    for name, settings in modules.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(settings))
    return folder


def make_dense(folder: Path, *matrices: Mapping[str, np.ndarray[Any, Any]]) -> Path:
    """Pooling by the mean, then these."""
    names = [f"{number}_Dense" for number in range(2, 2 + len(matrices))]
    pooling = {"1_Pooling": {"pooling_mode_mean_tokens": True}}
    make_modules(folder, pooling | dict.fromkeys(names, _LINEAR))
    for name, tensors in zip(names, matrices, strict=True):
        write_safetensors(folder / name / "model.safetensors", tensors)
    return folder


def test_matrices_for_the_vector_are_read_in_their_order(tmp_path: Path) -> None:
    folder = make_dense(tmp_path, {"linear.weight": _WIDE}, {"linear.weight": _BACK})
    weights = dense_weights(folder)
    assert {name: tensor.shape for name, tensor in weights.items()} == {
        "dense_2.weight": (12, 4),
        "dense_3.weight": (4, 12),
    }
    assert pooling_keys(folder) == {"pooling_type": 1}
    assert dense_keys(Output(name, tensor, "F32") for name, tensor in weights.items()) == {
        "dense_2_feat_in": 4,
        "dense_2_feat_out": 12,
        "dense_3_feat_in": 12,
        "dense_3_feat_out": 4,
    }


def test_without_modules_there_is_nothing(tmp_path: Path) -> None:
    assert not dense_weights(tmp_path)
    assert not pooling_keys(tmp_path)


def test_a_dense_module_that_adds_something_is_refused(tmp_path: Path) -> None:
    bias = np.ones(12, np.float32)
    folder = make_dense(tmp_path, {"linear.weight": _WIDE, "linear.bias": bias})
    with pytest.raises(BadCheckpoint, match="2_Dense is not one matrix alone"):
        dense_weights(folder)


def test_a_dense_module_that_bends_is_refused(tmp_path: Path) -> None:
    folder = make_modules(tmp_path, {"2_Dense": {"activation_function": "torch.nn.Tanh"}})
    with pytest.raises(BadCheckpoint, match=r"dense module with torch\.nn\.Tanh"):
        dense_weights(folder)


def test_a_module_elsewhere_is_refused(tmp_path: Path) -> None:
    modules = [{"path": "../2_Dense", "type": "models.Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(BadCheckpoint, match="is not a folder's name"):
        dense_weights(tmp_path)
