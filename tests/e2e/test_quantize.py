"""`puna create -q`: the smaller model answers."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.server import Server, is_running, processes, until
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


def test_a_server_killed_while_it_quantises_leaves_no_half_model(
    start: Start, tmp_path: Path
) -> None:
    server = start()
    weights = make_tiny_llama(tmp_path / "wide.gguf", n_embd=256)
    files = {"wide.gguf": server.upload(weights.read_bytes())}
    order = {"model": "small", "files": files, "quantize": "q8_0"}
    with server.sent("/api/create", **order):
        until(lambda: bool(quantisers(server)), "the quantiser starts")
        [pid] = quantisers(server)
        server.end(signal.SIGKILL)
        until(lambda: not is_running(pid), "the quantiser follows its server")
    again = start(OLLAMA_MODELS=str(server.store))
    assert again.get("/api/tags").json["models"] == []
    assert again.post("/api/create", **order, stream=False).json == {"status": "success"}
    assert again.generate("small", "the dog", options={"num_predict": 4})


def quantisers(server: Server) -> list[int]:
    return processes(server.home, "puna.convert.quantizer")
