"""Cells as bytes, where libllama has none to give."""

from __future__ import annotations

from pathlib import Path

from puna.runner.llama.library import lib
from puna.runner.llama.model import Model
from puna.runner.llama.params import make_params
from puna.runner.llama.state import Scratch, read_narrowed, read_widened, write_state
from puna.runner.protocol import LoadPlan
from tests.fakes.encoders import make_tiny_bert


def test_what_has_no_cells_gives_an_empty_state_which_nobody_takes(tmp_path: Path) -> None:
    plan = LoadPlan(model=str(make_tiny_bert(tmp_path / "m.gguf")), n_ctx=64)
    model = Model(plan, lambda _: None)
    context = lib.llama_init_from_model(model.handle, make_params(plan, 1))
    try:
        scratch = Scratch()
        for state in (
            read_widened(context, 0, 4, scratch),
            read_narrowed(context, 0, 4, scratch),
        ):
            assert len(state) == 0
            assert not write_state(context, 0, state)
    finally:
        lib.llama_free(context)
        model.close()
