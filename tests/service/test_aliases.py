"""Which model answers for a name that clients have built in."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.service.aliases import Aliases
from tests.service.world import World, play

RULES = ("gpt-4o=m", "GPT-*-mini=other", "gpt-*=m:latest", "m=gone", "o3=gone", "a*b*=m", "o*=o3")

NAMES = {
    "exact": ("gpt-4o", "m"),
    "in any case": ("GPT-4O", "m"),
    "the first that fits": ("gpt-5-mini", "other"),
    "by its beginning": ("gpt-5-2025-08-07", "m:latest"),
    "a star may be nothing": ("gpt-", "m:latest"),
    "in the middle and at the end": ("a/b:c", "m"),
    "installed": ("m", "m"),
    "installed, written out": ("library/m:latest", "library/m:latest"),
    "to what is not here": ("o3", "gone"),
    "an alias is not looked up again": ("o4", "o3"),
    "another name": ("my-gpt-4o", "my-gpt-4o"),
    "a dot is a dot": ("aXc", "aXc"),
    "none": ("", ""),
    "no name at all": ("gpt-\n", "gpt-\n"),
    "longer than any name": ("gpt-" * 300, "gpt-" * 300),
}


@pytest.mark.parametrize(("asked", "answers"), NAMES.values(), ids=NAMES)
def test_who_answers(tmp_path: Path, asked: str, answers: str) -> None:
    async def scene(w: World) -> None:
        assert await Aliases(w.catalog, RULES).resolve(asked) == answers

    play(tmp_path, scene)


def test_without_the_setting_names_are_names(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        aliases = Aliases(w.catalog, ())
        assert (await aliases.resolve("gpt-4o"), await aliases.listed()) == ("gpt-4o", {})

    play(tmp_path, scene)


def test_listed_are_whole_names_of_models_that_are_here(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        (row,) = await w.tags()
        assert await Aliases(w.catalog, RULES).listed() == {"gpt-4o": row.modified_at}

    play(tmp_path, scene)
