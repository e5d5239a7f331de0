"""Nothing outside the store is made, changed or removed, whatever names, digests and files say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from puna.errors import PunaError
from tests.service.world import JINJA, World, tiny, world

STEPS = [
    "..",
    ".",
    "",
    "~",
    "a",
    "manifests",
    "blobs",
    "latest",
    "m",
    "C:",
    "\0",
    "%2e%2e",
    "..\\..",
]
PATHS = st.lists(st.sampled_from(STEPS), min_size=1, max_size=6).map("/".join)
HOSTILE = st.one_of(
    PATHS,
    PATHS.map("/".__add__),
    st.text(max_size=30),
    st.builds("{}:{}".format, PATHS, PATHS),
    st.builds("https://{}/{}".format, PATHS, PATHS),
)
DIGESTS = st.one_of(
    HOSTILE,
    st.builds("sha256:{}".format, PATHS),
    st.builds("sha256-{}".format, PATHS),
    st.builds("sha256:{}{}".format, st.just("../" * 20), st.just("a" * 4)),
)


def everything(folder: Path, store: Path) -> dict[str, bytes | None]:
    """What lies in the folder outside the store, with the content of files."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path != store and store not in path.parents
    }


async def attempt(work: Awaitable[object]) -> None:
    """Do it, if it is allowed."""
    with contextlib.suppress(PunaError):
        await work


def beside_a_store(scene: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = folder / "a" / "b" / "store"
            store.mkdir(parents=True)
            for neighbour in (folder / "m", store.parent / "m", store.parent / "latest"):
                neighbour.write_text("a file of somebody else's")
            async with asyncio.timeout(60), world(store) as w:
                await w.install("m", tiny(template=JINJA))
                before = everything(folder, store)
                await scene(w)
                assert everything(folder, store) == before

    asyncio.run(whole())


@settings(max_examples=80, deadline=None)
@example(name="../../m", file_name="../../../m", digest="sha256:../../../m")
@example(name="/m", file_name="/m", digest="../../m")
@given(name=HOSTILE, file_name=HOSTILE, digest=DIGESTS)
def test_requests_stay_in_the_store(name: str, file_name: str, digest: str) -> None:
    async def scene(w: World) -> None:
        real = await w.upload(tiny())
        await attempt(w.upload(b"bytes", digest))
        await attempt(w.create(name, files={file_name: real}))
        await attempt(w.create("made", files={file_name: digest}))
        await attempt(w.create("made", **{"from": name}))
        await attempt(w.create("made", **{"from": "m", "adapters": {file_name: digest}}))
        await attempt(w.copy("m", name))
        await attempt(w.copy(name, "made"))
        await attempt(w.show(model=name))
        await attempt(w.delete(model=name))

    beside_a_store(scene)


@settings(max_examples=80, deadline=None)
@example(digest="sha256:../../../m", more="../../../m")
@given(digest=DIGESTS, more=DIGESTS)
def test_manifests_reach_nothing_outside(digest: str, more: str) -> None:
    """A store may have been written by anybody."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": digest,
            "size": 25,
        },
        "layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": more, "size": 25}],
    }

    async def scene(w: World) -> None:
        library = w.root / "manifests" / "registry.ollama.ai" / "library"
        (library / "evil").mkdir(parents=True)
        (library / "evil" / "latest").write_text(json.dumps(manifest))
        await w.tags()
        await attempt(w.show(model="evil"))
        await attempt(w.copy("evil", "made"))
        await attempt(w.create("made", **{"from": "evil"}))
        await attempt(w.chat("evil", messages=[{"role": "user", "content": "hi"}]))
        await attempt(w.delete(model="evil"))
        assert [row.name for row in await w.tags() if row.name.startswith("m")] != []

    beside_a_store(scene)
