"""`puna create -q`: the smaller model answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.server import Server
from tests.fakes.ggufs import make_tiny_llama

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("level", ["q8_0", "q4_K_M"])
def test_a_quantised_model_answers(server: Server, tmp_path: Path, level: str) -> None:
    make_tiny_llama(tmp_path / "wide.gguf", n_embd=256)
    (tmp_path / "Modelfile").write_text("FROM ./wide.gguf\n")
    name = f"small-{level.lower()}"
    done = puna("create", name, "-q", level, env=server.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"quantizing F32 model to {level.upper()}" in done.stderr
    shown = puna("show", name, env=server.env).stdout
    assert ["quantization", level.upper()] in [line.split() for line in shown.splitlines()]
    assert len(server.generate(name, "the dog", options={"num_predict": 8})) > 8
