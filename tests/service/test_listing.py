"""Tags, ps and show: exact fields, what is hidden, what is generated."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from puna.runner.fake import Hold
from tests.fakes.ggufs import Array
from tests.service.world import HI, JINJA, THINKING_JINJA, World, play, tiny

DETAILS = {
    "parent_model": "tiny.gguf",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "12",
    "quantization_level": "F16",
}


def fields(value: object) -> dict[str, Any]:
    """What goes out on the wire."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return decoded


def test_an_empty_store(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert (await w.tags(), await w.ps()) == ([], [])

    play(tmp_path, scene, None)


def test_one_row_of_tags(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        path = w.root / "manifests/registry.ollama.ai/library/m/latest"
        os.utime(path, ns=(0, 1_767_268_800_120_000_000))
        row = fields((await w.tags())[0])
        assert row.pop("modified_at")[:10] in {"2025-12-31", "2026-01-01", "2026-01-02"}
        stored = next(w.library.entries())
        assert row == {
            "name": "m:latest",
            "model": "m:latest",
            "size": stored.manifest.size,
            "digest": stored.digest,
            "details": {**DETAILS, "context_length": 8192, "embedding_length": 64},
            "capabilities": ["completion"],
        }
        assert len(row["digest"]) == 64

    play(tmp_path, scene)


def test_a_moment_with_its_nanoseconds(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        path = w.root / "manifests/registry.ollama.ai/library/m/latest"
        os.utime(path, ns=(0, 1_767_268_800_123_456_780))
        (row,) = await w.tags()
        assert ".12345678" in row.modified_at
        assert (await w.show(model="m")).modified_at == row.modified_at

    play(tmp_path, scene)


def test_newest_first(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for age, name in enumerate(["old", "older", "oldest"]):
            await w.copy("m", name)
            path = w.root / f"manifests/registry.ollama.ai/library/{name}/latest"
            os.utime(path, (0, 1_000_000 - age))
        assert [row.name for row in await w.tags()] == [
            "m:latest",
            "old:latest",
            "older:latest",
            "oldest:latest",
        ]

    play(tmp_path, scene)


def test_other_hosts_keep_their_names(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for name in ("me/m", "hf.co/me/m:q4"):
            await w.copy("m", name)
        assert {row.name for row in await w.tags()} == {"m:latest", "me/m:latest", "hf.co/me/m:q4"}

    play(tmp_path, scene)


def test_a_model_of_a_model_names_its_parent(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.create("child", **{"from": "m"})
        details = {row.name: row.details for row in await w.tags()}
        assert details["child:latest"].parent_model == "m:latest"

    play(tmp_path, scene)


def test_info_overrules_the_file(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.create(
            "other",
            **{"from": "m"},
            info={
                "model_family": "mine",
                "parameter_size": "7B",
                "quantization_level": "Q4_0",
                "context_length": 77,
                "embedding_length": 78,
                "capabilities": ["vision", 5],
            },
        )
        row = next(row for row in await w.tags() if row.name == "other:latest")
        assert fields(row.details) == {
            "parent_model": "m:latest",
            "format": "gguf",
            "family": "mine",
            "families": ["mine"],
            "parameter_size": "7B",
            "quantization_level": "Q4_0",
            "context_length": 77,
            "embedding_length": 78,
        }
        assert row.capabilities[0] == "vision"

    play(tmp_path, scene)


LEVELS = {
    "the file's own": (tiny(), {}, "F16"),
    "repaired": (tiny(), {"quantization_level": "unknown"}, "F16"),
    "overruled": (tiny(), {"quantization_level": "Q4_0"}, "Q4_0"),
    "counted from the tensors": (tiny(general__file_type=99999), {}, "F32"),
}


@pytest.mark.parametrize(("gguf", "info", "level"), LEVELS.values(), ids=LEVELS)
def test_quantisation(tmp_path: Path, gguf: bytes, info: dict[str, str], level: str) -> None:
    async def scene(w: World) -> None:
        await w.create("other", **{"from": "m"}, info=info)
        assert (await w.show(model="other")).details.quantization_level == level

    play(tmp_path, scene, gguf)


def test_one_damaged_model_does_not_hide_the_others(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        folder = w.root / "manifests/registry.ollama.ai/library"
        for name, content in {
            "bad/latest": b"{",
            "empty/latest": b"",
            "b ad/latest": b"{}",
        }.items():
            (folder / name).parent.mkdir()
            (folder / name).write_bytes(content)
        assert [row.name for row in await w.tags()] == ["m:latest"]

    play(tmp_path, scene)


def test_one_row_of_ps(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.chat(messages=HI, keep_alive="10m", options={"num_ctx": 1000})
        assert [fields(row) for row in await w.ps()] == [
            {
                "name": "m:latest",
                "model": "m:latest",
                "size": 1 << 20,
                "digest": next(w.library.entries()).digest,
                "details": {**DETAILS, "parent_model": ""},
                "expires_at": "2030-01-01T00:10:00Z",
                "size_vram": 0,
                "context_length": 1000,
            }
        ]

    play(tmp_path, scene)


def test_a_model_at_work_expires_when_it_would_from_now(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        hold = Hold()
        w.launcher.will_say(hold)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(w.generate(prompt="x"))
            await hold.reached()
            await w.clock.advance(3600)
            (row,) = await w.ps()
            assert row.expires_at == "2030-01-01T01:05:00Z"
            hold.release()

    play(tmp_path, scene)


def test_last_to_expire_first(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for context, keep_alive in ((100, 10), (101, -1), (102, 20)):
            await w.install(f"m{context}", tiny(n_ctx=context))
            await w.generate(f"m{context}", prompt="x", keep_alive=keep_alive)
        rows = await w.ps()
        assert [row.context_length for row in rows] == [101, 102, 100]
        assert int(rows[0].expires_at[:4]) > 2300

    play(tmp_path, scene)


def test_show_whole(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.create(
            "other",
            **{"from": "m"},
            system="Be brief.",
            license=["MIT", "Apache-2.0"],
            parameters={"stop": ["a", '"b"'], "num_ctx": 1048576, "temperature": 0.5},
            messages=[{"role": "USER", "content": "hi", "thinking": "hm"}],
            requires="v0.9.1",
        )
        answer = fields(await w.show(model="other"))
        (weights,) = w.layers("other")["model"]
        assert answer.pop("modified_at")
        assert answer == {
            "license": "MIT\nApache-2.0",
            "modelfile": "\n".join(
                [
                    '# Modelfile generated by "ollama show"',
                    "# To build a new Modelfile based on this, replace FROM with:",
                    "# FROM other:latest",
                    "",
                    f"FROM {w.root}/blobs/sha256-{weights}",
                    "SYSTEM Be brief.",
                    "REQUIRES 0.9.1",
                    "PARAMETER num_ctx 1.048576e+06",
                    "PARAMETER stop a",
                    'PARAMETER stop """"b""""',
                    "PARAMETER temperature 0.5",
                    "LICENSE MIT",
                    "LICENSE Apache-2.0",
                    "MESSAGE user hi",
                    "",
                ]
            ),
            "parameters": "\n".join(
                [
                    "num_ctx                        1.048576e+06",
                    'stop                           "a"',
                    'stop                           "\\"b\\""',
                    "temperature                    0.5",
                ]
            ),
            "template": JINJA,
            "system": "Be brief.",
            "details": {**DETAILS, "parent_model": "m:latest"},
            "messages": [{"role": "user", "content": "hi"}],
            "model_info": {
                "general.architecture": "llama",
                "general.file_type": 1,
                "general.parameter_count": 12,
                "llama.block_count": 2,
                "llama.context_length": 8192,
                "llama.embedding_length": 64,
                "tokenizer.ggml.tokens": None,
            },
            "tensors": [
                {"name": "token_embd.weight", "type": "F32", "shape": [4, 2]},
                {"name": "out.weight", "type": "F32", "shape": [4]},
            ],
            "capabilities": ["completion"],
            "requires": "0.9.1",
        }

    play(tmp_path, scene)


def test_show_at_its_smallest(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        answer = fields(await w.show(model="m"))
        assert answer.keys() == {
            "modelfile",
            "template",
            "details",
            "model_info",
            "tensors",
            "capabilities",
            "modified_at",
        }
        assert answer["template"] == "{{ .Prompt }}"
        assert "context_length" not in answer["details"]

    play(tmp_path, scene, tiny())


def test_arrays_are_shown_on_demand(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        brief, verbose = [
            (await w.show(model="m", verbose=verbose)).model_info for verbose in (False, True)
        ]
        assert brief["tokenizer.ggml.tokens"] is None
        assert verbose["tokenizer.ggml.tokens"] == ["a", "b", "c"]
        assert brief["llama.empty"] == verbose["llama.empty"] == []
        assert (await w.show(model="m", verbose=True)).tensors
        for info in (brief, verbose):
            assert not info.keys() & {"general.name", "tokenizer.chat_template"}

    play(tmp_path, scene, tiny(template=JINJA, llama__empty=Array(4)))


def test_what_a_request_lays_over(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.create("other", **{"from": "m"}, system="mine", parameters={"top_k": 1, "seed": 2})
        answer = await w.show(model="other", system="yours", options={"top_k": 3}, template="no")
        assert answer.system == "yours"
        lines = answer.modelfile.splitlines()
        assert [line for line in lines if line.startswith(("SYSTEM", "PARAMETER"))] == [
            "SYSTEM yours",
            "PARAMETER seed 2",
            "PARAMETER top_k 3",
        ]
        assert answer.parameters.split() == ["seed", "2", "top_k", "1"]
        assert answer.template == JINJA

    play(tmp_path, scene)


def test_a_copilot_sees_the_name_it_asked_for(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for agent, basename in {"GitHubCopilotChat/1.2": "M", "curl/8": None}.items():
            info = (await w.show(agent, model="M")).model_info
            assert info.get("general.basename") == basename

    play(tmp_path, scene)


def test_a_projector(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        projector = tiny(
            arch="clip",
            general__type="mmproj",
            clip__has_vision_encoder=True,
            clip__scales=Array(6, [0.5]),
        )
        files = {"m.gguf": await w.upload(tiny()), "p.gguf": await w.upload(projector)}
        await w.create("eyes", files=files)
        answer = await w.show(model="eyes")
        assert answer.capabilities == ["completion", "vision"]
        assert answer.projector_info["general.name"] == "Tiny"
        assert answer.projector_info["clip.scales"] is None
        (digest,) = w.layers("eyes")["projector"]
        assert f"\nFROM {w.root}/blobs/sha256-{digest}\n" in answer.modelfile

    play(tmp_path, scene)


ABILITIES: dict[str, tuple[bytes, list[str]]] = {
    "text": (tiny(), ["completion"]),
    "embedding": (tiny(arch="bert", bert__pooling_type=1), ["embedding"]),
    "eyes": (tiny(llama__vision__block_count=3), ["completion", "vision"]),
    "ears": (tiny(llama__audio__block_count=3), ["completion", "audio"]),
    "thoughts": (tiny(template=THINKING_JINJA), ["thinking", "completion"]),
}


@pytest.mark.parametrize(("gguf", "words"), ABILITIES.values(), ids=ABILITIES)
def test_capabilities(tmp_path: Path, gguf: bytes, words: list[str]) -> None:
    async def scene(w: World) -> None:
        assert (await w.show(model="m")).capabilities == words
        assert (await w.tags())[0].capabilities == words

    play(tmp_path, scene, gguf)


def test_a_model_that_changed_is_read_again(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert (await w.show(model="m")).system == ""
        await w.create("m", **{"from": "m"}, system="new")
        assert (await w.show(model="m")).system == "new"

    play(tmp_path, scene)
