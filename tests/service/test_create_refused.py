"""What cannot be made into a model: the message, and that nothing is left of the attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models.golden import GGUF
from tests.service.world import HI, World, complaint, play, tiny

NOWHERE = f"sha256:{'0' * 64}"
PATHS = ["../x", "/x", "a/../../x", "", ".", "./x", "a//b", "a/", "a/./b", "a\0b"]
RELATIVE = (400, "file path must be relative")
DIGEST = (400, "invalid digest format")
NAME = (400, "invalid model name")
STATED_TWICE: dict[str, Any] = {"from": "m"}

Row = tuple[dict[str, Any], tuple[int, str]]

AT_ONCE: dict[str, Row] = {
    **{f"path {path!r}": ({"files": {path: NOWHERE}}, RELATIVE) for path in PATHS},
    "path of a draft": ({"from": "m", "draft_files": {"../x": NOWHERE}}, RELATIVE),
    "path before digest": ({"files": {"../x": ""}}, RELATIVE),
    "no digest": ({"files": {"a.gguf": ""}}, DIGEST),
    "no digest of a draft": ({"from": "m", "draft_files": {"a.gguf": ""}}, DIGEST),
    "no digest of an adapter": ({"from": "m", "adapters": {"a.gguf": ""}}, DIGEST),
    "digests before names": ({"model": "b ad", "files": {"a.gguf": ""}}, DIGEST),
    "no draft": (
        {"from": "m", "draft_quantize": "q8_0"},
        (400, "--draft-quantize requires a DRAFT model"),
    ),
    "no draft before names": (
        {"model": "b ad", "draft_quantize": "q8_0"},
        (400, "--draft-quantize requires a DRAFT model"),
    ),
    "bad name": ({"model": "b ad", "from": "m"}, NAME),
    "no name": ({"model": "", "from": "m"}, NAME),
    "no name before the source": ({"model": ""}, NAME),
}
LATER: dict[str, Row] = {
    "no source": ({}, (400, "neither 'from' or 'files' was specified")),
    "empty from": ({"from": ""}, (400, "neither 'from' or 'files' was specified")),
    "bad from": ({"from": "b ad"}, NAME),
    "from in conflict": ({"from": "m:cloud:local"}, NAME),
    "unknown from": ({"from": "nope"}, (404, "file does not exist")),
    "no files": ({"files": {}}, (400, "unknown type")),
    "a draft that is no GGUF": (
        {"from": "m", "draft_files": {"model.safetensors": NOWHERE}},
        (400, "a draft of safetensors files cannot be converted: give a GGUF file"),
    ),
    "malformed digest": ({"files": {"a.gguf": "abc"}}, (400, "invalid digest format")),
    "malformed digest of an adapter": (
        {"from": "m", "adapters": {"a.gguf": "../../x"}},
        (400, "invalid digest format"),
    ),
    "two adapters": (
        {"from": "m", "adapters": {"a.gguf": NOWHERE, "b.gguf": NOWHERE}},
        (400, "only one adapter is currently supported"),
    ),
    "info text": (
        {"from": "m", "info": {"base_name": 5}},
        (400, 'info field "base_name" must be a string'),
    ),
    "info null": (
        {"from": "m", "info": {"model_family": None}},
        (400, 'info field "model_family" must be a string'),
    ),
    "info number": (
        {"from": "m", "info": {"context_length": "5"}},
        (400, 'info field "context_length" must be a number'),
    ),
    "info true": (
        {"from": "m", "info": {"embedding_length": True}},
        (400, 'info field "embedding_length" must be a number'),
    ),
    "info fraction": (
        {"from": "m", "info": {"context_length": 1.5}},
        (400, 'info field "context_length" must be a non-negative integer'),
    ),
    "info negative": (
        {"from": "m", "info": {"context_length": -1}},
        (400, 'info field "context_length" must be a non-negative integer'),
    ),
    "info after everything else": (
        {
            "from": "m",
            "template": "T",
            "system": "S",
            "license": "L",
            "parameters": {"top_k": 10},
            "messages": HI,
            "info": {"context_length": 1.5},
        },
        (400, 'info field "context_length" must be a non-negative integer'),
    ),
    "license": (
        {"from": "m", "license": 5},
        (400, "license must be a string or a list of strings"),
    ),
    "licenses": (
        {"from": "m", "license": ["a", 5]},
        (400, "license must be a string or a list of strings"),
    ),
    "parameters": (
        {"from": "m", "parameters": {"temperature": "hot"}},
        (400, 'option "temperature" must be of type float32'),
    ),
}
REFUSED = AT_ONCE | LATER


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_messages_that_could_not_be_read_again_are_refused(tmp_path: Path) -> None:
    call = {"function": {"name": "f", "arguments": {"a": nested(400)}}}
    messages = [{"role": "assistant", "content": "", "tool_calls": [call]}]

    async def scene(w: World) -> None:
        expected = (400, "messages cannot be stored: nested too deeply")
        assert await complaint(w.create("new", **{"from": "m", "messages": messages})) == expected

    play(tmp_path, scene)


@pytest.mark.parametrize(("fields", "expected"), REFUSED.values(), ids=REFUSED)
def test_refusals(tmp_path: Path, fields: dict[str, Any], expected: tuple[int, str]) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        assert await complaint(w.create(**{"model": "new", **fields})) == expected
        assert w.files() == before

    play(tmp_path, scene)


CONTENTS: dict[str, tuple[str, bytes, tuple[int, str]]] = {
    "three bytes": ("a", b"GGU", (400, "unknown type")),
    "nothing": ("a", b"", (400, "unknown type")),
    "another format": ("a.bin", b"PK\x03\x04 and more", (400, "unknown type")),
    "no GGUF": ("a.gguf", b"PK\x03\x04", (400, "supplied file was not in GGUF format")),
    "an empty GGUF": ("a.gguf", b"", (400, "supplied file was not in GGUF format")),
}


@pytest.mark.parametrize(("name", "content", "expected"), CONTENTS.values(), ids=CONTENTS)
def test_files_of_other_kinds(
    tmp_path: Path, name: str, content: bytes, expected: tuple[int, str]
) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(content)
        before = w.files()
        assert await complaint(w.create("new", files={name: digest})) == expected
        assert w.files() == before

    play(tmp_path, scene)


BEYOND = tiny()[:-20]


@pytest.mark.parametrize("content", [GGUF[:20], BEYOND, b"GGUF" + b"\xff" * 60])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(content)
        before = w.files()
        status, text = await complaint(w.create("new", files={"a.gguf": digest}))
        assert status == 400
        assert text
        adapters = {"a.gguf": digest}
        assert (await complaint(w.create("new", **{"from": "m"}, adapters=adapters)))[0] == 400
        assert w.files() == before

    play(tmp_path, scene)


NOT_UPLOADED: dict[str, dict[str, Any]] = {
    "files": {"files": {"a.gguf": NOWHERE}},
    "adapters": {"from": "m", "adapters": {"a.gguf": NOWHERE}},
    "drafts": {"from": "m", "draft_files": {"a.gguf": NOWHERE}},
}


@pytest.mark.parametrize("fields", NOT_UPLOADED.values(), ids=NOT_UPLOADED)
def test_files_that_were_not_uploaded(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        status, text = await complaint(w.create("new", **fields))
        assert (status, "no such file or directory" in text) == (400, True)
        assert w.files() == before

    play(tmp_path, scene)


@pytest.mark.parametrize("kind", ["adapters", "draft_files"])
def test_additions_need_a_base(tmp_path: Path, kind: str) -> None:
    async def scene(w: World) -> None:
        projector = await w.upload(tiny(arch="clip", general__type="projector"))
        extra = {kind: {"x.gguf": await w.upload(GGUF)}}
        work = w.create("new", files={"p.gguf": projector}, **extra)
        assert await complaint(work) == (400, "no base model was found")

    play(tmp_path, scene)


OTHER_KINDS = {
    "adapters": "an adapter but of kind model",
    "draft_files": "a model but of kind adapter",
}


@pytest.mark.parametrize(("field", "words"), OTHER_KINDS.items(), ids=OTHER_KINDS)
def test_additions_must_be_of_their_kind(tmp_path: Path, field: str, words: str) -> None:
    async def scene(w: World) -> None:
        data = GGUF if field == "adapters" else tiny(general__type="adapter")
        extra = {field: {"x.gguf": await w.upload(data)}}
        before = w.files()
        refused = await complaint(w.create("new", **{"from": "m"}, **extra))
        assert refused == (400, f"x.gguf is not {words}")
        assert w.files() == before

    play(tmp_path, scene)


UNSUPPORTED: dict[str, dict[str, Any]] = {
    "remote": {"from": "m", "remote_host": "https://example.com"},
    "cloud": {"from": "gpt-oss:20b:cloud"},
}


@pytest.mark.parametrize("fields", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_is_not_there_yet_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        assert (await complaint(w.create("new", **fields)))[0] == 400
        assert w.files() == before

    play(tmp_path, scene)


def test_safetensors_need_their_configuration(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(tiny())
        before = w.files()
        told = await complaint(w.create("new", files={"model.safetensors": digest}))
        assert told == (400, "cannot convert: config.json: is missing")
        assert w.files() == before

    play(tmp_path, scene)
