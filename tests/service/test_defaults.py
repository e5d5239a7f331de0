"""What weights bring with them: stop words, renderers and parsers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.world import World, play, tiny

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def test_a_well_known_chat_template_brings_its_stop_words(tmp_path: Path) -> None:
    """Not the reference's own template for it: the file's is used."""

    async def scene(w: World) -> None:
        digest = await w.upload(tiny(template=CHATML))
        await w.create("plain", files={"a.gguf": digest})
        assert w.layers("plain").keys() == {"model", "params"}
        assert w.layers("plain")["params"][0].startswith("f02dd72bb242")
        more = {"stop": ["END"], "top_k": 5}
        await w.create("asked", files={"a.gguf": digest}, parameters=more)
        assert json.loads(w.blob(w.layers("asked")["params"][0])) == more
        await w.create("mixed", files={"a.gguf": digest}, parameters={"top_k": 5})
        found = json.loads(w.blob(w.layers("mixed")["params"][0]))
        assert found == {"stop": ["<|im_start|>", "<|im_end|>"], "top_k": 5}

    play(tmp_path, scene)


STYLES = {
    "gemma4": ("gemma4", ["<turn|>"]),
    "laguna": ("laguna", None),
    "nemotron_h": ("nemotron-3-nano", None),
    "nemotron_h_moe": ("nemotron-3-nano", None),
    "llama": (None, None),
}


@pytest.mark.parametrize(("arch", "expected"), STYLES.items(), ids=STYLES)
def test_some_architectures_name_their_renderer(
    tmp_path: Path, arch: str, expected: tuple[str | None, list[str] | None]
) -> None:
    style, stop = expected

    async def scene(w: World) -> None:
        await w.install("new", tiny(arch=arch))
        config = w.config("new")
        assert (config.get("renderer"), config.get("parser")) == (style, style)
        params = [json.loads(w.blob(digest)) for digest in w.layers("new").get("params", [])]
        assert params == ([{"stop": stop}] if stop else [])
        await w.install("half", tiny(arch=arch), renderer="mine")
        config = w.config("half")
        assert (config["renderer"], config.get("parser")) == ("mine", style)
        await w.install("whole", tiny(arch=arch), renderer="mine", parser="too")
        assert "params" not in w.layers("whole")

    play(tmp_path, scene)
