"""What a projector adds to the memory that is asked for."""

from __future__ import annotations

from pathlib import Path

from puna.api.decode import read_value
from puna.api.requests import ChatRequest
from puna.gguf.eye import eye_graph
from puna.gguf.reader import read_header
from puna.service.prepare import make_need, make_options, plan_load
from tests.fakes.projectors import GEMMA, make_projector
from tests.service.world import JINJA, World, play, tiny


def test_its_file_and_what_it_computes_are_asked_for(tmp_path: Path) -> None:
    eye = make_projector(tmp_path / "eye.gguf", GEMMA)

    async def scene(w: World) -> None:
        files = {
            "tiny.gguf": await w.upload(tiny(template=JINJA)),
            "eye.gguf": await w.upload(eye.read_bytes()),
        }
        await w.create(files=files)
        entry = await w.catalog.find("m")
        plan = plan_load(entry, make_options(entry, {}), w.settings)
        need = make_need(entry, plan, read_value(ChatRequest, {"model": "m"}))
        computing = eye_graph(read_header(eye))
        assert computing > 0
        assert need.extra == eye.stat().st_size + computing

    play(tmp_path, scene, gguf=None)
