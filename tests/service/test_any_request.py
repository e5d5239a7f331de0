"""Whatever a client sends, it is answered or refused with an error of ours; nothing half-made."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.api.decode import decode
from puna.api.options import KINDS
from puna.api.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    GenerateRequest,
    ShowRequest,
)
from puna.errors import PunaError
from puna.service.create import Create
from puna.service.show import Show
from tests.api.test_fields import ANY_JSON
from tests.fakes.pulls import nothing_to_pull
from tests.service.world import JINJA, World, tiny, world

MODELS = st.sampled_from(["m", "M:latest", "", "nope", "b ad", "m:local", "x:cloud"]) | st.text()
TEXT = st.text(max_size=20)
OPTIONS = st.dictionaries(st.sampled_from(sorted(KINDS)), st.integers() | st.floats() | ANY_JSON)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "x"]), "content": TEXT},
    optional={"thinking": TEXT, "images": st.just(["AAAA"]), "tool_name": TEXT},
)
INFERENCE = {
    "stream": st.booleans(),
    "format": st.sampled_from(["", "json", "xml", {}, 5]) | ANY_JSON,
    "grammar": st.sampled_from(["", "root ::= x"]) | TEXT,
    "regex": st.sampled_from(["", "x+"]) | TEXT,
    "keep_alive": st.sampled_from([0, -1, 5, "5m", "0"]) | ANY_JSON,
    "options": OPTIONS,
    "think": st.sampled_from([True, False, "low", "x"]),
    "truncate": st.booleans(),
    "shift": st.booleans(),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(-1, 21),
    "_debug_render_only": st.booleans(),
}
FILES = st.dictionaries(st.sampled_from(["a.gguf", "a", "../x"]), st.sampled_from(["", "x"]))

BODIES: dict[type[msgspec.Struct], dict[str, st.SearchStrategy[Any]]] = {
    GenerateRequest: {
        **INFERENCE,
        "prompt": TEXT,
        "suffix": TEXT,
        "system": TEXT,
        "template": TEXT,
        "context": st.lists(st.integers(-1, 300)),
        "raw": st.booleans(),
        "images": st.just(["AAAA"]),
    },
    ChatRequest: {**INFERENCE, "messages": st.lists(MESSAGE), "tools": st.just([{}])},
    ShowRequest: {"verbose": st.booleans(), "system": TEXT, "options": OPTIONS},
    DeleteRequest: {"name": TEXT},
    CopyRequest: {"source": MODELS, "destination": MODELS},
    CreateRequest: {
        "from": MODELS,
        "files": FILES,
        "adapters": FILES,
        "draft_files": FILES,
        "template": TEXT,
        "system": TEXT,
        "license": ANY_JSON,
        "parameters": OPTIONS | st.dictionaries(TEXT, ANY_JSON),
        "messages": st.lists(MESSAGE),
        "info": st.dictionaries(
            st.sampled_from(["capabilities", "model_family", "context_length", "base_name"]),
            ANY_JSON,
        ),
        "renderer": TEXT,
        "requires": TEXT,
    },
}


async def answer(w: World, kind: type[msgspec.Struct], body: bytes) -> None:
    match decode(kind, body):
        case GenerateRequest() as order:
            assert [event async for event in w.inference.generate(order)]
        case ChatRequest() as order:
            assert [event async for event in w.inference.chat(order)]
        case ShowRequest() as order:
            msgspec.json.encode(await Show(w.catalog).show(order))
        case DeleteRequest() as order:
            await w.management.delete(order)
        case CopyRequest() as order:
            await w.management.copy(order)
        case CreateRequest() as order:
            steps = [
                step.status
                async for step in Create(w.library, w.settings, nothing_to_pull).create(order)
            ]
            assert steps[-1] == "success"


async def outcome(work: Awaitable[None]) -> str:
    try:
        await work
    except PunaError as error:
        return f"{error.status}: {error}"
    return "answered"


def in_a_world(scene: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with asyncio.timeout(60), world(Path(folder)) as w:
                await w.install("m", tiny(template=JINJA))
                await scene(w)

    asyncio.run(whole())


@pytest.mark.parametrize("kind", BODIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_request(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    body = data.draw(st.fixed_dictionaries({"model": MODELS}, optional=BODIES[kind]))

    async def scene(w: World) -> None:
        before = w.files()
        result = await outcome(answer(w, kind, json.dumps(body).encode()))
        assert re.match(r"answered|[45]\d\d: .", result)
        if result != "answered":
            assert w.files() == before
        await w.tags()
        for row in await w.tags():
            msgspec.json.encode(await w.show(model=row.name, verbose=True))

    in_a_world(scene)
