"""How each route reports a reference that is empty, wrong, in conflict or unknown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.service.world import HI, World, complaint, play

Route = Callable[[World, str], Awaitable[object]]

ROUTES: dict[str, Route] = {
    "generate": lambda w, model: w.generate(model, prompt="x"),
    "chat": lambda w, model: w.chat(model, messages=HI),
    "show": lambda w, model: w.show(model=model),
    "delete": lambda w, model: w.delete(model=model),
    "create": lambda w, model: w.create(model, **{"from": "m"}),
    "create from": lambda w, model: w.create("new", **{"from": model or " "}),
    "copy from": lambda w, model: w.copy(model, "new"),
    "copy to": lambda w, model: w.copy("m", model),
}

REQUIRED = (400, "model is required")
INVALID = (400, "invalid model name")
CONFLICT = (400, 'use either :local or :cloud, not both: "x:cloud:local"')

EMPTY = {
    "generate": (404, "model '' not found"),
    "chat": REQUIRED,
    "show": REQUIRED,
    "delete": REQUIRED,
    "create": INVALID,
    "create from": INVALID,
    "copy from": (400, 'source "" is invalid'),
    "copy to": (400, 'destination "" is invalid'),
}
BLANK = {
    **EMPTY,
    "generate": (404, "model '  ' not found"),
    "copy from": (400, 'source "  " is invalid'),
    "copy to": (400, 'destination "  " is invalid'),
}
BAD = {
    "generate": INVALID,
    "chat": INVALID,
    "show": INVALID,
    "delete": (400, 'name "bad name" is invalid'),
    "create": INVALID,
    "create from": INVALID,
    "copy from": (400, 'source "bad name" is invalid'),
    "copy to": (400, 'destination "bad name" is invalid'),
}
TWO_SOURCES = {"generate": CONFLICT, "chat": CONFLICT, "show": CONFLICT, "delete": CONFLICT}
UNKNOWN = {
    "generate": (404, "model 'Nope' not found"),
    "chat": (404, "model 'Nope' not found"),
    "show": (404, "model 'Nope:latest' not found"),
    "delete": (404, "model 'Nope' not found"),
    "create from": (404, "file does not exist"),  # what the registry says
    "copy from": (404, 'model "Nope" not found'),
}
LOCAL = {
    "generate": (404, "model 'nope:local' not found"),
    "chat": (404, "model 'nope:local' not found"),
    "show": (404, "model 'nope:latest' not found"),
    "delete": (404, "model 'nope:local' not found"),
    "create from": (404, "model 'nope:local' not found"),
}

TABLES = {
    "": EMPTY,
    "  ": BLANK,
    "bad name": BAD,
    "x:cloud:local": TWO_SOURCES,
    "Nope": UNKNOWN,
    "nope:local": LOCAL,
}

CASES = {
    f"{route} {text!r}": (route, text, expected)
    for text, table in TABLES.items()
    for route, expected in table.items()
}


@pytest.mark.parametrize(("route", "text", "expected"), CASES.values(), ids=CASES)
def test_references(tmp_path: Path, route: str, text: str, expected: tuple[int, str]) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        assert await complaint(ROUTES[route](w, text)) == expected
        assert w.files() == before

    play(tmp_path, scene)


INVALID_NAMES = ["foo:", "/foo", "//x", "a@b", "../x", "-m", "a/b/c/d", "m:" + "t" * 81]


@pytest.mark.parametrize("text", INVALID_NAMES)
def test_names_that_are_none(tmp_path: Path, text: str) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.generate(text)) == INVALID
        assert await complaint(w.create(text, **{"from": "m"})) == INVALID

    play(tmp_path, scene)


SPELLINGS = ["m", "M", "m:latest", "M:LATEST", "library/m", "registry.ollama.ai/library/m", " m "]


@pytest.mark.parametrize("text", [*SPELLINGS, "m:local", "m:latest:LOCAL"])
def test_spellings_of_one_model(tmp_path: Path, text: str) -> None:
    async def scene(w: World) -> None:
        assert (await w.generate(text, prompt="x"))[-1]
        assert (await w.chat(text, messages=HI))[-1]
        assert (await w.show(model=text)).modelfile

    play(tmp_path, scene)


def test_show_and_delete_know_the_old_field(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert (await w.show(name="m")).modelfile
        await w.delete(name="m")
        assert await w.tags() == []

    play(tmp_path, scene)
