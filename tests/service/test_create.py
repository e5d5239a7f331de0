"""Making models: sources, layers, inheritance, goldens, and what stays in the store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from puna.api.decode import read_value
from puna.api.events import Progress
from puna.api.requests import CreateRequest, PullRequest
from puna.models.digest import Digest
from puna.models.manifest import Layer, encode_manifest
from puna.models.name import Name
from puna.service.create import Create
from tests.models.golden import CONFIG_DIGEST, GGUF, GGUF_DIGEST, MANIFEST_DIGEST
from tests.service.world import HI, World, play, sha, tiny

PARENT = {"temperature": 1, "top_k": 10, "stop": ["USER:", "ASSISTANT:"]}
SAID = [
    {"role": "assistant", "content": "What is my purpose?"},
    {"role": "user", "content": "You run tests."},
    {"role": "assistant", "content": "Oh, my god."},
]


def test_what_is_not_here_is_pulled_first(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        async def pull(order: PullRequest) -> AsyncIterator[Progress]:
            assert order.model == "parent"
            yield Progress(status="pulling manifest")
            await w.install("parent")
            yield Progress(status="success")

        create = Create(w.library, w.settings, pull)
        order = read_value(CreateRequest, {"model": "child", "from": "parent", "system": "Be."})
        steps = [step.status async for step in create.create(order)]
        assert steps[:2] == ["pulling manifest", "success"]
        assert steps[-2:] == ["writing manifest", "success"]
        assert w.layers("child")["model"] == w.layers("parent")["model"]
        again = [step.status async for step in create.create(order)]
        assert "pulling manifest" not in again

    play(tmp_path, scene, None)


def test_the_golden_model(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(GGUF)
        assert await w.create("test", files={"test.gguf": digest}) == [
            "parsing GGUF",
            f"using existing layer {digest}",
            "writing manifest",
            "success",
        ]
        manifest = w.library.read(Name.parse("test")).manifest
        assert manifest.config is not None
        assert manifest.config.digest == CONFIG_DIGEST
        (layer,) = manifest.layers
        assert (layer.digest, layer.from_) == (GGUF_DIGEST, "test.gguf")
        plain = dataclasses.replace(manifest, layers=(dataclasses.replace(layer, from_=""),))
        assert Digest.of(encode_manifest(plain)) == MANIFEST_DIGEST

    play(tmp_path, scene, None)


LAYERS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "params": (
        {"parameters": PARENT},
        "params",
        ["1d0ad71299d48c2fb7ae2b98e683643e771f8a5b72be34942af90d97a91c1e37"],
    ),
    "more params": (
        {
            "parameters": {
                "top_p": 0.7,
                "temperature": 0.6,
                "top_k": 10.0,
                "stop": ["<|endoftext|>"],
                "seed": None,
            }
        },
        "params",
        ["12f58bb75cb3042d69a7e013ab87fb3c3c7088f50ddc62f0c77bd332f0d44d35"],
    ),
    "template": (
        {"template": "{{ .Prompt }}"},
        "template",
        ["b507b9c2f6ca642bffcd06665ea7c91f235fd32daeefdf875a0f938db05fb315"],
    ),
    "system": (
        {"system": "Say hi!"},
        "system",
        ["f29e82a8284dbdf5910b1555580ff60b04238b8da9d5e51159ada67a4d0d5851"],
    ),
    "one license": ({"license": "MIT"}, "license", [sha("MIT")]),
    "two licenses": (
        {"license": ["MIT", "Apache-2.0"]},
        "license",
        [sha("MIT"), sha("Apache-2.0")],
    ),
    "messages": (
        {"messages": SAID},
        "messages",
        ["298baeaf6928a60cf666d88d64a1ba606feb43a2865687c39e40652e407bffc4"],
    ),
    "roles in capitals": (
        {"messages": [{**message, "role": message["role"].upper()} for message in SAID]},
        "messages",
        ["298baeaf6928a60cf666d88d64a1ba606feb43a2865687c39e40652e407bffc4"],
    ),
}


@pytest.mark.parametrize(("fields", "kind", "digests"), LAYERS.values(), ids=LAYERS)
def test_golden_layers(
    tmp_path: Path, fields: dict[str, Any], kind: str, digests: list[str]
) -> None:
    async def scene(w: World) -> None:
        await w.install("test", GGUF, **fields)
        assert w.layers("test") == {"model": [GGUF_DIGEST.hex], kind: digests}

    play(tmp_path, scene, None)


def test_parameters_that_nobody_knows_are_kept(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("test", GGUF, parameters={"nonsense": {"b": 1, "a": [None]}})
        (digest,) = w.layers("test")["params"]
        assert w.blob(digest) == b'{"nonsense":{"a":[null],"b":1}}\n'
        assert (await w.show(model="test")).parameters
        await w.generate("test", prompt="x")

    play(tmp_path, scene, None)


EMPTY = {"template": "", "system": "", "license": [], "parameters": {}, "messages": []}


def test_empty_fields_make_no_layers(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("test", GGUF, **EMPTY)
        assert w.layers("test") == {"model": [GGUF_DIGEST.hex]}

    play(tmp_path, scene, None)


def test_the_order_of_layers_and_of_the_report(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.upload(b"MIT")
        files = {"test.gguf": await w.upload(GGUF)}
        fields: dict[str, Any] = {
            "messages": SAID,
            "parameters": PARENT,
            "license": ["MIT"],
            "system": "Say hi!",
            "template": "{{ .Prompt }}",
        }
        report = await w.create("test", files=files, **fields)
        kinds = list(w.layers("test"))
        assert kinds == ["model", "template", "system", "license", "params", "messages"]
        assert [line.partition(" sha256:")[0] for line in report] == [
            "parsing GGUF",
            "using existing layer",
            "creating new layer",
            "creating new layer",
            "using existing layer",
            "creating new layer",
            "creating new layer",
            "writing manifest",
            "success",
        ]

    play(tmp_path, scene, None)


def test_a_file_is_known_by_its_magic(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.create("test", files={"weights": await w.upload(GGUF)})
        assert w.config("test")["model_family"] == "test"

    play(tmp_path, scene, None)


def test_the_config_is_read_off_the_weights(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert w.config() == {
            "model_format": "gguf",
            "model_family": "llama",
            "model_families": ["llama"],
            "model_type": "12",
            "file_type": "F16",
            "architecture": "amd64",
            "os": "linux",
        }

    play(tmp_path, scene)


def test_several_files(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        adapter = tiny(general__type="adapter")
        files = {"z.gguf": await w.upload(tiny()), "a.gguf": await w.upload(adapter)}
        report = await w.create("test", files=files)
        assert report.count("parsing GGUF") == 2
        assert list(w.layers("test")) == ["adapter", "model"]
        await w.chat("test", messages=HI)
        (digest,) = w.layers("test")["adapter"]
        assert w.launcher.plans[0].adapters == (str(w.root / "blobs" / f"sha256-{digest}"),)

    play(tmp_path, scene, None)


@pytest.mark.parametrize("source", ["m", "M:LATEST", "m:local"])
def test_a_model_of_a_model(tmp_path: Path, source: str) -> None:
    async def scene(w: World) -> None:
        report = await w.create("child", **{"from": source})
        (digest,) = w.layers()["model"]
        lines = [f"using existing layer sha256:{digest}", "writing manifest", "success"]
        assert report == lines
        assert (w.layers("child"), w.config("child")) == (w.layers(), w.config())
        manifest = w.library.read(Name.parse("child")).manifest
        assert [layer.from_ for layer in manifest.layers] == ["m:latest"]

    play(tmp_path, scene)


PARENT_FIELDS: dict[str, Any] = {
    "template": "T{{ .Prompt }}",
    "system": "S",
    "parameters": PARENT,
    "license": "MIT",
    "messages": SAID,
    "renderer": "r",
    "parser": "p",
    "requires": "0.5.0",
    "info": {"capabilities": ["vision"]},
}


def test_everything_is_inherited(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("parent", **PARENT_FIELDS)
        for name, fields in {"a": {}, "b": EMPTY}.items():
            await w.create(name, **{"from": "parent"}, **fields)
            assert (w.layers(name), w.config(name)) == (w.layers("parent"), w.config("parent"))

    play(tmp_path, scene)


def test_what_a_child_says_wins(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("parent", **PARENT_FIELDS)
        fields: dict[str, Any] = {
            "template": "other",
            "system": "O",
            "parameters": {"temperature": 0.6, "top_p": 0.7, "stop": ["<|endoftext|>"]},
            "license": ["Apache-2.0"],
            "messages": SAID[:1],
            "renderer": "r2",
            "requires": "v0.6.0",
        }
        await w.create("child", **{"from": "parent"}, **fields)
        layers = w.layers("child")
        params = "12f58bb75cb3042d69a7e013ab87fb3c3c7088f50ddc62f0c77bd332f0d44d35"
        assert layers["params"] == [params]  # with the parent's top_k
        assert layers["license"] == [sha("MIT"), sha("Apache-2.0")]
        assert (layers["template"], layers["system"]) == ([sha("other")], [sha("O")])
        (messages,) = layers["messages"]
        assert json.loads(w.blob(messages)) == SAID[:1]
        config = w.config("child")
        assert (config["renderer"], config["parser"], config["requires"]) == ("r2", "p", "0.6.0")
        assert config["capabilities"] == ["vision"]

    play(tmp_path, scene)


def test_a_system_prompt_goes_with_files_and_stays_with_a_model(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("test", GGUF, system="S")
        await w.create("test", **{"from": "test"})
        assert "system" in w.layers("test")
        await w.install("test", GGUF)
        assert "system" not in w.layers("test")

    play(tmp_path, scene, None)


def test_from_goes_before_files(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.create("child", **{"from": "m"}, files={"x.gguf": f"sha256:{'0' * 64}"})
        assert w.layers("child") == w.layers("m")

    play(tmp_path, scene)


def test_adapters_and_drafts(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        adapter = await w.upload(tiny(general__type="adapter"))
        draft = await w.upload(tiny(n_ctx=64))
        extra = {"adapters": {"a.gguf": adapter}, "draft_files": {"d.gguf": draft}}
        report = await w.create("child", **{"from": "m"}, **extra)
        assert report.count("parsing GGUF") == 2
        assert list(w.layers("child")) == ["model", "adapter", "draft"]

    play(tmp_path, scene)


INFO: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "family": ({"model_family": "f"}, {"model_family": "f", "model_families": ["f"]}),
    "size": ({"parameter_size": "7B"}, {"model_type": "7B"}),
    "type": ({"quantization_level": "Q4_0"}, {"file_type": "Q4_0"}),
    "base name": ({"base_name": "b"}, {"base_name": "b"}),
    "lengths": (
        {"context_length": 5.0, "embedding_length": 6},
        {"context_length": 5, "embedding_length": 6},
    ),
    "capabilities": ({"capabilities": ["tools", 1]}, {"capabilities": ["tools", ""]}),
    "unknown": ({"nonsense": 1}, {}),
}


@pytest.mark.parametrize(("info", "expected"), INFO.values(), ids=INFO)
def test_info(tmp_path: Path, info: dict[str, Any], expected: dict[str, Any]) -> None:
    async def scene(w: World) -> None:
        await w.create("child", **{"from": "m"}, info=info)
        assert w.config("child") == {**w.config("m"), **expected}

    play(tmp_path, scene)


def test_every_layer_of_a_tensor_model_keeps_its_name(tmp_path: Path) -> None:
    """Derived tensor models keep names, format, capabilities and what they require."""

    async def scene(w: World) -> None:
        await w.install("tensors", GGUF, info={"capabilities": ["vision"]}, requires="0.19.0")
        stored = w.library.read(Name.parse("tensors")).manifest
        data = b"weights"
        digest = w.library.blobs.add(data).digest
        kind = "application/vnd.ollama.image.tensor"
        layers = tuple(Layer(kind, digest, len(data), name=name) for name in ("a", "b"))
        w.library.write(Name.parse("tensors"), dataclasses.replace(stored, layers=layers))
        await w.create("child", **{"from": "tensors"}, system="S")
        names = [layer.name for layer in w.library.read(Name.parse("child")).manifest.layers]
        assert names == ["a", "b", ""]
        config = w.config("child")
        assert (config["capabilities"], config["requires"]) == (["vision"], "0.19.0")

    play(tmp_path, scene, None)


def test_a_draft_is_in_the_config(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        drafts = {"d.gguf": await w.upload(tiny(arch="qwen2"))}
        await w.create("new", **{"from": "m", "draft_files": drafts})
        assert w.config("new")["draft"] == {"model_format": "gguf", "architecture": "qwen2"}

    play(tmp_path, scene)
