"""What generate and chat refuse, in which words, and which complaint comes first."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from puna.errors import BadModelFile
from tests.fakes.ggufs import Array, pack_gguf
from tests.service.world import (
    HI,
    JINJA,
    THINKING_JINJA,
    World,
    complaint,
    ending,
    play,
    text_of,
    tiny,
)

FULL = "registry.ollama.ai/library/m:latest"
IMAGE = base64.b64encode(b"\x89PNG").decode()
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
EMBEDDING = tiny(arch="bert", bert__pooling_type=1)

RANGE = (400, "top_logprobs must be between 0 and 20")
RAW = (400, "raw mode does not support template, system, or context")
NO_THOUGHTS = (400, '"m" does not support thinking')
NO_INSERT = (400, f"{FULL} does not support insert")
NO_TOOLS = (400, f"{FULL} does not support tools")
HOT = (400, 'option "temperature" must be of type float32')
STOP = (400, 'option "stop" must be of type array')
NO_IMAGES = (400, '"m" does not support images')
XML = (
    400,
    r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object',
)
BAD_OPTION = {"options": {"temperature": "hot"}}

Row = tuple[dict[str, Any], tuple[int, str]]

GENERATE: dict[str, Row] = {
    "top_logprobs below": ({"top_logprobs": -1}, RANGE),
    "top_logprobs above": ({"top_logprobs": 21}, RANGE),
    "their range before the model": ({"model": "nope", "top_logprobs": 21}, RANGE),
    "a format and a grammar": (
        {"format": {}, "grammar": "x"},
        (400, "format and grammar cannot be used together"),
    ),
    "a grammar and a regex, before the model": (
        {"model": "nope", "grammar": "x", "regex": "x"},
        (400, "grammar and regex cannot be used together"),
    ),
    "raw and template": ({"raw": True, "template": "x"}, RAW),
    "raw and system": ({"raw": True, "system": "x"}, RAW),
    "raw and context": ({"raw": True, "context": [1]}, RAW),
    "raw before thinking": ({"raw": True, "system": "x", "think": True}, RAW),
    "raw with an empty prompt": ({"raw": True, "system": "x", "prompt": ""}, RAW),
    "thinking": ({"think": True}, NO_THOUGHTS),
    "thinking by level": ({"think": "low"}, NO_THOUGHTS),
    "thinking with an empty prompt": ({"think": True, "prompt": ""}, NO_THOUGHTS),
    "thinking before insert": ({"think": True, "suffix": "x"}, NO_THOUGHTS),
    "insert": ({"suffix": "x"}, NO_INSERT),
    "insert in raw mode": ({"suffix": "x", "raw": True}, NO_INSERT),
    "insert before options": ({"suffix": "x", **BAD_OPTION}, NO_INSERT),
    "an option": (BAD_OPTION, HOT),
    "an option with an empty prompt": ({"prompt": "", **BAD_OPTION}, HOT),
    "stop": ({"options": {"stop": "x"}}, STOP),
    "format": ({"format": "xml"}, XML),
    "images": ({"images": [IMAGE]}, NO_IMAGES),
    "images in raw mode": ({"images": [IMAGE], "raw": True}, NO_IMAGES),
}
CHAT: dict[str, Row] = {
    "top_logprobs": ({"model": "nope", "top_logprobs": 21}, RANGE),
    "thinking": ({"think": True}, NO_THOUGHTS),
    "thinking without messages": ({"think": True, "messages": []}, NO_THOUGHTS),
    "thinking before tools": ({"think": "max", "tools": [TOOL]}, NO_THOUGHTS),
    "tools": ({"tools": [TOOL]}, NO_TOOLS),
    "tools without messages": ({"tools": [TOOL], "messages": []}, NO_TOOLS),
    "tools before options": ({"tools": [TOOL], **BAD_OPTION}, NO_TOOLS),
    "an option": (BAD_OPTION, HOT),
    "format": ({"format": "xml"}, XML),
    "images": ({"messages": [{"role": "user", "images": [IMAGE]}]}, NO_IMAGES),
    "images long ago": (
        {"messages": [{"role": "user", "images": [IMAGE]}, *HI]},
        NO_IMAGES,
    ),
}


@pytest.mark.parametrize(("fields", "expected"), GENERATE.values(), ids=GENERATE)
def test_generate_refuses(
    tmp_path: Path, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.generate(**{"prompt": "x", **fields})) == expected
        assert w.launcher.orders == []

    play(tmp_path, scene)


@pytest.mark.parametrize(("fields", "expected"), CHAT.values(), ids=CHAT)
def test_chat_refuses(tmp_path: Path, fields: dict[str, Any], expected: tuple[int, str]) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.chat(**{"messages": HI, **fields})) == expected
        assert w.launcher.orders == []

    play(tmp_path, scene)


LOADED_FIRST = {"format", "images", "images in raw mode", "images long ago"}


@pytest.mark.parametrize("name", sorted((GENERATE.keys() | CHAT.keys()) - LOADED_FIRST))
def test_nothing_is_loaded_for_what_is_refused(tmp_path: Path, name: str) -> None:
    async def scene(w: World) -> None:
        if name in GENERATE:
            await complaint(w.generate(**{"prompt": "x", **GENERATE[name][0]}))
        if name in CHAT:
            await complaint(w.chat(**{"messages": HI, **CHAT[name][0]}))
        assert w.launcher.plans == []

    play(tmp_path, scene)


NO_FORMATS: dict[str, tuple[object, str]] = {
    "another word": ("yaml", r'"\"yaml\""'),
    "true": (True, '"true"'),
    "a number": (5, '"5"'),
    "a list": (["json"], r'"[\"json\"]"'),
    "upper case": ("JSON", r'"\"JSON\""'),
}


@pytest.mark.parametrize(("value", "shown"), NO_FORMATS.values(), ids=NO_FORMATS)
def test_formats_that_are_none(tmp_path: Path, value: object, shown: str) -> None:
    async def scene(w: World) -> tuple[int, str]:
        return await complaint(w.chat(messages=HI, format=value))

    expected = f'invalid format: {shown}; expected "json" or a valid JSON Schema object'
    assert play(tmp_path, scene) == (400, expected)


ACCEPTED: dict[str, dict[str, Any]] = {
    "think false": {"think": False},
    "unknown option": {"options": {"nonsense": 1}},
    "null option": {"options": {"top_k": None}},
    "raw with an empty context": {"raw": True, "context": []},
    "raw with an empty system": {"raw": True, "system": "", "template": ""},
    "most top_logprobs": {"top_logprobs": 20},
}


@pytest.mark.parametrize("fields", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_accepted(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def scene(w: World) -> str:
        return ending(await w.generate(prompt="x", **fields)).reason

    assert play(tmp_path, scene) == "stop"


@pytest.mark.parametrize("prompt", ["", "x"])
def test_an_embedding_model_does_not_generate(tmp_path: Path, prompt: str) -> None:
    async def scene(w: World) -> None:
        expected = (400, '"m" does not support generate')
        assert await complaint(w.generate(prompt=prompt)) == expected
        expected = (400, '"m" does not support chat')
        assert await complaint(w.chat(messages=HI if prompt else [])) == expected

    play(tmp_path, scene, EMBEDDING)


def test_the_model_is_named_as_the_client_did(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        expected = (400, '"M:latest" does not support thinking')
        assert await complaint(w.generate("M:latest", prompt="x", think=True)) == expected

    play(tmp_path, scene)


def test_an_image_model_does_not_generate(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("painter", info={"capabilities": ["image"]})
        expected = (400, "image generation models are not currently supported")
        fields: dict[str, Any] = {"prompt": "x", "raw": True, "system": "s"}
        assert await complaint(w.generate("painter", **fields)) == expected

    play(tmp_path, scene)


def test_a_thinking_model_may_think(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for think in (True, False, "low", None):
            assert ending(await w.chat(messages=HI, think=think)).reason == "stop"

    play(tmp_path, scene, tiny(template=THINKING_JINJA))


def test_missing_weights(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")  # it is known by now
        (digest,) = w.layers()["model"]
        (w.root / "blobs" / f"sha256-{digest}").unlink()
        expected = (404, 'model "m" not found, try pulling it first')
        assert await complaint(w.generate(prompt="x")) == expected
        assert await complaint(w.generate(prompt="x", think=True)) == expected
        assert await complaint(w.chat(messages=HI)) == expected
        assert await complaint(w.show(model="m")) == (404, "model 'm:latest' not found")
        (row,) = await w.tags()
        assert row.name == "m:latest"
        assert ending(await w.generate(keep_alive=0)).reason == "unload"

    play(tmp_path, scene)


def test_weights_that_come_back(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        (digest,) = w.layers()["model"]
        path = w.root / "blobs" / f"sha256-{digest}"
        content = path.read_bytes()
        path.unlink()
        assert (await complaint(w.generate(prompt="x")))[0] == 404
        path.write_bytes(content)
        assert ending(await w.generate(prompt="x")).reason == "stop"

    play(tmp_path, scene)


def test_damaged_weights(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        (digest,) = w.layers()["model"]
        (w.root / "blobs" / f"sha256-{digest}").write_bytes(b"GGUF, no more")
        status, text = await complaint(w.generate(prompt="x"))
        assert status == 400
        assert text.startswith('the weights of model "m" cannot be read: ')
        assert (await w.show(model="m")).model_info == {}

    play(tmp_path, scene)


def test_weights_that_are_damaged_when_they_are_known_already(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert (await w.show(model="m")).model_info
        (digest,) = w.layers()["model"]
        (w.root / "blobs" / f"sha256-{digest}").write_bytes(b"")
        with pytest.raises(BadModelFile, match=r'model "m:latest" cannot be read: .*`puna verify`'):
            await w.show(model="m")

    play(tmp_path, scene)


def test_a_missing_config_is_a_missing_model(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("other", tiny(n_ctx=99), info={"base_name": "x"})
        manifest = w.library.read(w.catalog.library.names()[0]).manifest
        assert manifest.config is not None
        w.library.blobs.path(manifest.config.digest).unlink()
        assert await complaint(w.generate(prompt="x")) == (404, "model 'm' not found")
        assert [row.name for row in await w.tags()] == ["other:latest"]

    play(tmp_path, scene)


def test_a_damaged_manifest_is_our_own_fault(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        path = w.root / "manifests/registry.ollama.ai/library/m/latest"
        path.write_bytes(b"{")
        assert (await complaint(w.generate(prompt="x")))[0] == 500
        assert await w.tags() == []

    play(tmp_path, scene)


def test_a_template_that_fails_is_reported(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        status, text = await complaint(w.chat(messages=HI))
        assert status == 400
        assert "no such role" in text
        assert w.launcher.orders == []

    play(tmp_path, scene, tiny(template="{{ raise_exception('no such role') }}"))


def test_arrays_in_a_file_are_no_hindrance(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert text_of(await w.chat(messages=HI)) == "four"

    play(tmp_path, scene, tiny(template=JINJA, llama__scales=Array(6, [0.5] * 100)))


def test_a_model_with_an_encoder_that_is_not_known_answers_texts(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert text_of(await w.chat(messages=HI)) == "four"
        assert "vision" not in (await w.catalog.find("m")).capabilities
        status, text = await complaint(
            w.chat(messages=[{"role": "user", "content": "x", "images": [IMAGE]}])
        )
        assert status == 400
        assert text == (
            '"m" does not support images: the encoder inside a file of "llama" is not known'
        )

    play(tmp_path, scene, tiny(llama__vision__block_count=3, tensors=["v.patch_embd.weight"]))


def test_llama_with_images_does_not_see_with_its_projector(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        weights = tiny(arch="mllama", mllama__attention__cross_attention_layers=Array(5, [1]))
        eye = pack_gguf({"general.architecture": "mllama", "general.type": "projector"})
        files = {"m.gguf": await w.upload(weights), "eye.gguf": await w.upload(eye)}
        await w.create(files=files)
        entry = await w.catalog.find("m")
        assert entry.model.projectors
        assert entry.eye is None
        assert entry.capabilities == ("completion",)
        status, text = await complaint(
            w.chat(messages=[{"role": "user", "content": "x", "images": [IMAGE]}])
        )
        assert (status, text) == (
            400,
            '"m" does not support images: the engine does not know its encoder',
        )
        assert text_of(await w.chat(messages=HI)) == "four"

    play(tmp_path, scene, gguf=None)
