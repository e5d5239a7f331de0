"""DBRX's experts, which stand one below the other in one matrix."""

from __future__ import annotations

import numpy as np
import pytest

from puna.convert.config import Config
from puna.convert.families.registry import family_of
from puna.convert.tensor import made
from puna.errors import BadCheckpoint

CONFIG = Config(
    {
        "architectures": ["DbrxForCausalLM"],
        "d_model": 2,
        "ffn_config": {"ffn_hidden_size": 3, "moe_num_experts": 4},
    }
)


@pytest.mark.parametrize(("part", "turned"), [("v1", False), ("w1", False), ("w2", True)])
def test_experts_are_taken_apart_and_outputs_become_rows(part: str, turned: bool) -> None:
    rows = np.arange(24.0).reshape(12, 2)
    name = f"transformer.blocks.0.ffn.experts.mlp.{part}"
    ((renamed, tensor),) = family_of(CONFIG).weights(CONFIG, name, made(rows, name))
    expected = rows.reshape(4, 3, 2)
    assert renamed == f"{name}.weight"
    assert np.array_equal(tensor.load(), expected.swapaxes(1, 2) if turned else expected)


def test_rows_that_are_not_those_of_the_experts_are_refused() -> None:
    name = "transformer.blocks.0.ffn.experts.mlp.w1"
    with pytest.raises(BadCheckpoint, match="cannot become"):
        list(family_of(CONFIG).weights(CONFIG, name, made(np.ones((11, 2)), name)))
