"""How important a request is: a field of ours, checked before anything else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.world import HI, World, complaint, play

PRIORITIES = {"absent": ("", "normal"), "high": ("high", "high"), "low": ("low", "low")}


@pytest.mark.parametrize(("sent", "meant"), PRIORITIES.values(), ids=PRIORITIES)
def test_the_engine_hears_of_it(tmp_path: Path, sent: str, meant: str) -> None:
    async def scene(w: World) -> None:
        await w.chat(messages=HI, priority=sent)
        await w.generate(prompt="hi", priority=sent)
        await w.embed(input="hi", priority=sent)
        await w.embeddings(prompt="hi", priority=sent)
        assert [order.priority for order in w.launcher.orders] == [meant, meant]
        assert [order.priority for order in w.launcher.embeddings] == [meant, meant]

    play(tmp_path, scene)


def test_others_are_refused(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        said = (400, 'invalid priority "urgent": use "high", "normal" or "low"')
        assert await complaint(w.chat("nope", messages=HI, priority="urgent")) == said
        assert await complaint(w.generate("nope", prompt="hi", priority="urgent")) == said
        assert await complaint(w.embed("nope", input="hi", priority="urgent")) == said
        assert await complaint(w.embeddings("nope", prompt="hi", priority="urgent")) == said

    play(tmp_path, scene)
