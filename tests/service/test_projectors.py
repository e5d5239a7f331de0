"""What a projector adds to the memory that is asked for."""

from __future__ import annotations

from pathlib import Path

from puna.api.decode import read_value
from puna.api.requests import ChatRequest
from puna.gguf.encoders import encoder_graph
from puna.gguf.footprint import footprint_of
from puna.gguf.reader import read_header
from puna.gguf.translation.registry import read_translation
from puna.service.prepare import make_need, make_options, plan_load
from tests.fakes.monoliths import FORMS, write_monolith
from tests.fakes.projectors import GEMMA, make_projector
from tests.fakes.shapes import make_tiny_window
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
        computing = encoder_graph(read_header(eye))
        assert computing > 0
        assert need.extra == eye.stat().st_size + computing

    play(tmp_path, scene, gguf=None)


def test_an_encoder_inside_the_weights_is_asked_for_once(tmp_path: Path) -> None:
    text = make_tiny_window(tmp_path / "text.gguf")
    eye = make_projector(tmp_path / "eye.gguf", GEMMA)
    whole = write_monolith(tmp_path / "whole.gguf", text, eye, FORMS["gemma3"])

    async def scene(w: World) -> None:
        await w.create(files={"whole.gguf": await w.upload(whole.read_bytes())})
        entry = await w.catalog.find("m")
        assert entry.capabilities == ("completion", "vision")
        assert entry.footprint == footprint_of(read_header(text))
        plan = plan_load(entry, make_options(entry, {}), w.settings)
        assert plan.projector == plan.model
        need = make_need(entry, plan, read_value(ChatRequest, {"model": "m"}))
        translation = read_translation(whole)
        assert translation is not None
        assert translation.eye is not None
        inner = translation.eye.header
        assert need.extra == inner.file_size + encoder_graph(inner)
        assert encoder_graph(inner) == encoder_graph(read_header(eye)) > 0

    play(tmp_path, scene, gguf=None)
