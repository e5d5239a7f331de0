"""Models in several files: made as one blob or kept in parts, shown, listed, loaded, kept whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from puna.api.upkeep import PruneRequest, Verified, VerifyRequest
from puna.models.name import Name
from puna.runner.protocol import LoadPlan
from tests.fakes.ggufs import Raw, make_tiny_llama
from tests.fakes.splits import make_split_llama
from tests.service.world import World, complaint, play, sha, tiny

U16 = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_tiny_llama(tmp_path_factory.mktemp("whole") / "whole.gguf").read_bytes()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("parts")
    return {path.name: path.read_bytes() for path in make_split_llama(folder)}


async def upload(w: World, files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: await w.upload(data) for name, data in files.items()}


async def keep(w: World, files: Mapping[str, bytes], model: str = "m") -> None:
    await w.create(model, files=await upload(w, files), keep_parts=True)


def backwards(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return dict(reversed(list(files.items())))


def test_parts_become_one_layer(tmp_path: Path, whole: bytes, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        steps = await w.create(files=await upload(w, backwards(parts)))
        assert steps.count("parsing GGUF") == 3
        assert "merging GGUF parts" in steps
        assert f"creating new layer sha256:{sha(whole)}" in steps
        assert w.layers() == {"model": [sha(whole)]}
        (tag,) = await w.tags()
        assert len(whole) <= tag.size < len(whole) + 1000
        again = await w.create(files=await upload(w, parts))
        assert f"using existing layer sha256:{sha(whole)}" in again

    play(tmp_path, scene, None)


def test_parts_that_are_kept_are_layers_in_order(
    tmp_path: Path, whole: bytes, parts: dict[str, bytes]
) -> None:
    async def scene(w: World) -> None:
        before = sum(map(len, parts.values()))
        await keep(w, backwards(parts))
        digests = [sha(data) for data in parts.values()]
        assert w.layers()["model"] == digests
        (tag,) = await w.tags()
        assert before <= tag.size < before + 1000
        shown = await w.show(model="m")
        await w.create("whole", files={next(iter(parts)): await w.upload(whole)})
        expected = await w.show(model="whole")
        for field in ("details", "tensors", "capabilities"):
            assert getattr(shown, field) == getattr(expected, field), field
        count = shown.model_info["general.parameter_count"]
        assert count == expected.model_info["general.parameter_count"]
        assert [line for line in shown.modelfile.splitlines() if line.startswith("FROM")] == [
            f"FROM {w.library.blobs.folder / f'sha256-{digest}'}" for digest in digests
        ]

    play(tmp_path, scene, None)


def test_a_shown_modelfile_makes_the_same_model(tmp_path: Path, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        await keep(w, parts)
        names = [line[5:] for line in (await w.show(model="m")).modelfile.splitlines()[4:7]]
        files = {Path(name).name: f"sha256:{name[-64:]}" for name in names}
        await w.create("again", files=files)
        assert w.layers("again") == w.layers()

    play(tmp_path, scene, None)


def test_a_derived_model_has_all_parts(tmp_path: Path, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        await keep(w, parts)
        await w.create("child", **{"from": "m"}, system="Be brief.")
        assert w.layers("child")["model"] == w.layers()["model"]
        assert w.config("child")["model_families"] == ["llama"]
        assert w.config("child")["model_type"] == w.config()["model_type"]

    play(tmp_path, scene, None)


def test_all_parts_are_loaded_and_kept_while_they_are(
    tmp_path: Path, parts: dict[str, bytes]
) -> None:
    async def scene(w: World) -> None:
        await keep(w, parts)
        await w.generate(prompt="hi", raw=True)
        plan: LoadPlan = w.launcher.engines[-1].plan
        paths = [w.library.blobs.folder / f"sha256-{sha(data)}" for data in parts.values()]
        assert plan.weights == tuple(map(str, paths))
        assert w.scheduler.files() == set(plan.weights)
        await w.create("other", files={"t.gguf": await w.upload(tiny())})
        await w.delete(model="m")
        verdicts = [
            step async for step in w.upkeep.verify(VerifyRequest()) if isinstance(step, Verified)
        ]
        assert [verdict.model for verdict in verdicts] == ["other:latest"]

    play(tmp_path, scene, None)


def test_every_part_is_verified_and_none_is_pruned(tmp_path: Path, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        await keep(w, parts)
        pruned = await w.upkeep.prune(PruneRequest(older_than=0))
        assert pruned.files == []
        second = list(parts.values())[1]
        path = w.library.blobs.folder / f"sha256-{sha(second)}"
        path.write_bytes(second[:-1] + b"!")
        (verdict,) = [
            step async for step in w.upkeep.verify(VerifyRequest()) if isinstance(step, Verified)
        ]
        assert [fault.digest for fault in verdict.faults] == [f"sha256:{sha(second)}"]
        path.unlink()
        assert await complaint(w.generate(prompt="hi")) == (
            404,
            'model "m" not found, try pulling it first',
        )

    play(tmp_path, scene, None)


def test_a_layer_that_the_manifest_lacks_is_told(tmp_path: Path, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        await keep(w, parts)
        name = Name.parse("m")
        manifest = w.library.read(name).manifest
        w.library.write(name, replace(manifest, layers=manifest.layers[1:]))
        status, text = await complaint(w.generate(prompt="hi"))
        assert status == 400
        assert "the model has 3 parts, and 2 of them are here" in text

    play(tmp_path, scene, None)


def split(index: int | None, count: int = 2, **more: Any) -> bytes:
    own: dict[str, Any] = {} if index is None else {"split__no": Raw(U16, index)}
    return tiny(split__count=Raw(U16, count), **own, **more)


A, B = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "a name of its own": (
        {"m.gguf": split(0), B: split(1)},
        'split GGUF "m.gguf" must use llama.cpp split filename pattern',
    ),
    "another count": (
        {"m-00001-of-00003.gguf": split(0)},
        'split GGUF "m-00001-of-00003.gguf" filename count 3 does not match metadata count 2',
    ),
    "no index": ({A: split(None)}, f'split GGUF "{A}" is missing split.no metadata'),
    "another index": (
        {A: split(1)},
        f'split GGUF "{A}" filename index 1 does not match metadata index 2',
    ),
    "the second is missing": (
        {A: split(0)},
        f'split GGUF "{A}" has 1 shards, expected 2: {B} is missing',
    ),
    "the first is missing": (
        {B: split(1)},
        f'split GGUF "{B}" has 1 shards, expected 2: {A} is missing',
    ),
    "of a store, and one is missing": (
        {f"sha256-{'0' * 64}": split(1)},
        f'split GGUF "sha256-{"0" * 64}" has 1 shards, expected 2: shard 1 is missing',
    ),
    "of a store, and one is twice": (
        {f"sha256-{'0' * 64}": split(1), f"sha256-{'1' * 64}": split(1)},
        "split GGUF has duplicate shard index 2",
    ),
    "the same tensors": (
        {A: split(0), B: split(1)},
        'invalid GGUF: tensor "token_embd.weight" is in several parts',
    ),
    "2^31 parts": (
        {A: tiny(split__count=2**31)},
        "invalid GGUF: split.count 2147483648 is not a number from 0 to 65535",
    ),
}


@pytest.mark.parametrize(("files", "expected"), REFUSED.values(), ids=REFUSED)
def test_parts_that_do_not_fit(tmp_path: Path, files: dict[str, bytes], expected: str) -> None:
    async def scene(w: World) -> None:
        given = await upload(w, files)
        before = w.files()
        assert await complaint(w.create(files=given)) == (400, expected)
        assert w.files() == before

    play(tmp_path, scene, None)


def test_parts_are_quantised_into_one_layer(
    tmp_path: Path, whole: bytes, parts: dict[str, bytes]
) -> None:
    async def scene(w: World) -> None:
        await w.create("whole", files={"w.gguf": await w.upload(whole)}, quantize="q8_0")
        await keep(w, parts, "kept")
        before = w.library.blobs.folder.glob("*")
        known = {path.name for path in before}
        files = await upload(w, parts)
        for source in ({"files": files}, {"files": files, "keep_parts": True}, {"from": "kept"}):
            await w.create("small", **source, quantize="q8_0")
            assert w.layers("small") == w.layers("whole")
            assert w.config("small") == w.config("whole")
        new = {path.name for path in w.library.blobs.folder.glob("*")} - known
        assert len(new) <= 1, "nothing but another config"
        assert (await complaint(w.create("small", **{"from": "whole"}, quantize="q4_0")))[0] == 400

    play(tmp_path, scene, None)


def test_a_request_that_is_refused_merges_nothing(tmp_path: Path, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        files = await upload(w, parts)
        before = w.files()
        status, _ = await complaint(w.create(files=files, parameters={"temperature": "hot"}))
        assert status == 400
        assert w.files() == before

    play(tmp_path, scene, None)


def test_a_split_draft_is_one_layer(tmp_path: Path, whole: bytes, parts: dict[str, bytes]) -> None:
    async def scene(w: World) -> None:
        await w.create(files={"w.gguf": await w.upload(tiny())}, draft_files=await upload(w, parts))
        assert w.layers()["draft"] == [sha(whole)]

    play(tmp_path, scene, None)


def test_several_whole_files_are_several_layers(tmp_path: Path) -> None:
    """As in the reference, where the last one counts."""

    async def scene(w: World) -> None:
        one, two = tiny(n_ctx=1), tiny(n_ctx=2)
        await w.create(files=await upload(w, {"a.gguf": one, "b.gguf": two}))
        assert w.layers()["model"] == [sha(one), sha(two)]
        shown = (await w.show(model="m")).modelfile
        assert re.findall("sha256-([0-9a-f]+)", shown) == [sha(two)]

    play(tmp_path, scene, None)
