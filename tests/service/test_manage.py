"""Copy, delete and blobs: what changes in the store, and what never does."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from puna.errors import DigestMismatch
from puna.models.blobs import BlobWriter
from puna.threads import in_thread_to_the_end
from tests.service.world import World, chunked, complaint, play, tiny

DATA = b"some bytes" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()
OTHER = "0" * 64


def manifests(w: World) -> list[str]:
    return [path for path in w.files() if path.startswith("manifests/")]


def test_a_copy_is_a_second_manifest(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        await w.copy("m", "me/copy:v1")
        copied = "manifests/registry.ollama.ai/me/copy/v1"
        assert w.files() == before | {
            copied: before["manifests/registry.ollama.ai/library/m/latest"]
        }

    play(tmp_path, scene)


def test_a_copy_overwrites(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("other", tiny(n_ctx=9))
        await w.copy("m", "other")
        assert w.layers("other") == w.layers("m")

    play(tmp_path, scene)


@pytest.mark.parametrize("name", ["m", "nope", "m:latest"])
def test_a_copy_onto_itself_is_nothing(tmp_path: Path, name: str) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        await w.copy(name, name.removesuffix(":latest"))
        assert w.files() == before

    play(tmp_path, scene)


COMPLAINTS = {
    "the source first": ("b ad", "w orse", (400, 'source "b ad" is invalid')),
    "the destination before the source is looked for": (
        "nope",
        "w orse",
        (400, 'destination "w orse" is invalid'),
    ),
    "unknown": ("nope", "new", (404, 'model "nope" not found')),
    "suffixes are part of the name": ("m:local", "new", (404, 'model "m:local" not found')),
}


@pytest.mark.parametrize(("source", "destination", "expected"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_copies_that_fail(
    tmp_path: Path, source: str, destination: str, expected: tuple[int, str]
) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        assert await complaint(w.copy(source, destination)) == expected
        assert w.files() == before

    play(tmp_path, scene)


def test_another_case_is_no_other_name(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.copy("M", "Copy")
        await w.copy("m", "COPY")
        await w.create("cOPY", **{"from": "LIBRARY/M"})
        assert [path.rpartition("library/")[2] for path in manifests(w)] == [
            "Copy/latest",
            "m/latest",
        ]
        await w.delete(model="copy")
        assert len(manifests(w)) == 1

    play(tmp_path, scene)


def test_deleting_the_only_model_leaves_nothing(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.delete(model="m")
        assert w.files() == {}
        assert list((w.root / "manifests").glob("*")) == []
        assert await complaint(w.delete(model="m")) == (404, "model 'm' not found")

    play(tmp_path, scene)


def test_shared_blobs_survive(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        await w.create("child", **{"from": "m"}, system="brief")
        await w.delete(model="child")
        assert w.files() == before
        await w.copy("m", "twin")
        await w.delete(model="m")
        assert len(w.files()) == len(before)
        await w.delete(model="twin")
        assert w.files() == {}

    play(tmp_path, scene)


def test_missing_blobs_are_no_hindrance(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for path in (w.root / "blobs").iterdir():
            path.unlink()
        await w.delete(model="m")
        assert w.files() == {}

    play(tmp_path, scene)


def test_a_cloud_reference_deletes_what_is_stored_of_it(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.copy("m", "gpt-oss:20b-cloud")
        await w.copy("m", "qwen3:cloud")
        await w.delete(model="gpt-oss:20b:cloud")
        await w.delete(model="qwen3:cloud")
        assert [row.name for row in await w.tags()] == ["m:latest"]

    play(tmp_path, scene)


def test_a_loaded_model_goes_on(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        await w.delete(model="m")
        assert [row.name for row in await w.ps()] == ["m:latest"]

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "digest", [f"sha256:{DIGEST}", f"sha256-{DIGEST}", f"sha256:{DIGEST.upper()}"]
)
def test_a_blob_is_stored_once(tmp_path: Path, digest: str) -> None:
    async def scene(w: World) -> None:
        assert await w.management.upload_blob(digest, chunked(DATA))
        assert not await w.management.upload_blob(digest, chunked(b"not looked at"))
        assert await w.management.has_blob(digest)
        assert w.files() == {f"blobs/sha256-{DIGEST}": DATA}

    play(tmp_path, scene, None)


def test_a_large_blob_is_written_in_parts(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000

    async def scene(w: World) -> None:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert await w.management.upload_blob(digest, chunked(data, 1_000_000))
        assert list(w.files().values()) == [data]

    play(tmp_path, scene, None)


def test_an_empty_blob(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.upload(b"")
        assert list(w.files().values()) == [b""]

    play(tmp_path, scene, None)


def test_a_wrong_digest(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        expected = f'digest mismatch, expected "sha256:{OTHER}", got "sha256:{DIGEST}"'
        assert await complaint(w.upload(DATA, f"sha256:{OTHER}")) == (400, expected)
        assert w.files() == {}

    play(tmp_path, scene, None)


BAD_DIGESTS = ["", "abc", "sha256:", f"sha256:{OTHER[1:]}", f"sha256:{OTHER}0", f"md5:{OTHER}"]
BAD_DIGESTS += [f"sha256:{'g' * 64}", f"sha256:../../{OTHER[6:]}", f"sha256:{OTHER}\n"]


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_digests_that_are_none(tmp_path: Path, digest: str) -> None:
    async def scene(w: World) -> None:
        expected = (400, "invalid digest format")
        assert await complaint(w.management.has_blob(digest)) == expected
        assert await complaint(w.upload(DATA, digest)) == expected
        assert w.files() == {}

    play(tmp_path, scene, None)


def test_a_blob_that_is_not_there(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        text = f"sha256-{OTHER}"
        expected = (404, f'blob "{text}" not found')
        assert await complaint(w.management.has_blob(text)) == expected

    play(tmp_path, scene, None)


def test_a_sender_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA[:500]
        raise ConnectionResetError

    async def scene(w: World) -> None:
        with pytest.raises(ConnectionResetError):
            await w.management.upload_blob(f"sha256:{DIGEST}", broken())
        assert w.files() == {}

    play(tmp_path, scene, None)


def test_a_cancelled_upload_leaves_nothing(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        waiting = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield DATA * 500
            waiting.set()
            await asyncio.Event().wait()

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(w.management.upload_blob(f"sha256:{DIGEST}", slow()))
            await waiting.wait()
            task.cancel()
        assert w.files() == {}

    play(tmp_path, scene, None)


def test_the_same_blob_from_two_senders(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(w.upload(DATA))
        assert w.files() == {f"blobs/sha256-{DIGEST}": DATA}

    play(tmp_path, scene, None)


def test_a_cancelled_caller_waits_for_the_work_to_end() -> None:
    async def scene() -> list[str]:
        events: list[str] = []
        started, go_on = threading.Event(), threading.Event()

        def work() -> None:
            started.set()
            go_on.wait(10)
            events.append("worked")

        async def caller() -> None:
            try:
                await in_thread_to_the_end(work)
            finally:
                events.append("closed")

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(caller())
            await asyncio.to_thread(started.wait, 10)
            for _ in range(2):
                task.cancel()
                await asyncio.sleep(0)
            go_on.set()
        assert task.cancelled()
        return events

    assert asyncio.run(scene()) == ["worked", "closed"]


def test_work_to_the_end_gives_its_value_or_its_error(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert await in_thread_to_the_end(str.upper, "a") == "A"
        writer: BlobWriter
        with w.library.blobs.writer() as writer:
            await in_thread_to_the_end(writer.write, DATA)
        with pytest.raises(DigestMismatch):
            await w.upload(DATA, f"sha256:{OTHER}")

    play(tmp_path, scene, None)
