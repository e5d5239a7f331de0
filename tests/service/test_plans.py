"""What a load's plan says, by options, the model's parameters and the server's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puna.models.digest import Digest
from puna.runner.protocol import LoadPlan
from tests.service.world import HI, World, play, text_of, tiny

NO_LENGTH = tiny(n_ctx=0)
CONTEXTS: dict[str, tuple[bytes, dict[str, Any], dict[str, Any], int]] = {
    "default": (b"", {}, {}, 4096),
    "the server's": (b"", {"context_length": 2048}, {}, 2048),
    "the request's": (b"", {"context_length": 2048}, {"num_ctx": 1024}, 1024),
    "cut to whole tokens": (b"", {}, {"num_ctx": 2048.7}, 2048),
    "a floor": (b"", {}, {"num_ctx": 1}, 4),
    "below zero": (b"", {}, {"num_ctx": -5}, 4),
    "zero is unset": (b"", {}, {"num_ctx": 0}, 4096),
    "null is unset": (b"", {}, {"num_ctx": None}, 4096),
    "as trained": (b"", {}, {"num_ctx": 9999}, 8192),
    "the server's, as trained": (b"", {"context_length": 10**9}, {}, 8192),
    "a small model": (tiny(n_ctx=128), {}, {}, 128),
    "of unknown training": (NO_LENGTH, {}, {"num_ctx": 9999}, 9999),
    "beyond 32 bits": (NO_LENGTH, {}, {"num_ctx": 2**40}, 2**24),
}


@pytest.mark.parametrize(
    ("gguf", "settings", "options", "expected"), CONTEXTS.values(), ids=CONTEXTS
)
def test_contexts(
    tmp_path: Path, gguf: bytes, settings: dict[str, Any], options: dict[str, Any], expected: int
) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", options=options)
        assert w.launcher.plans[0].n_ctx == expected
        assert w.order.n_ctx == expected

    play(tmp_path, scene, gguf, **settings)


PLANS: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "batch": ({"num_batch": 64}, {"n_batch": 64}),
    "batch within the context": ({"num_batch": 9999, "num_ctx": 256}, {"n_batch": 256}),
    "an odd batch": ({"num_batch": -3}, {"n_batch": 1}),
    "threads": ({"num_thread": 3}, {"n_threads": 3}),
    "no threads": ({"num_thread": -3}, {"n_threads": 0}),
    "layers": ({"num_gpu": 5}, {"n_gpu_layers": 5}),
    "no layers": ({"num_gpu": 0}, {"n_gpu_layers": 0}),
    "all layers": ({"num_gpu": 2**40}, {"n_gpu_layers": 100_000}),
    "card": ({"main_gpu": 0}, {"main_gpu": 0}),
    "no map": ({"use_mmap": False}, {"use_mmap": False}),
    "nothing": ({}, {"n_batch": 0, "n_gpu_layers": -1, "main_gpu": None, "use_mmap": None}),
}


@pytest.mark.parametrize(("options", "expected"), PLANS.values(), ids=PLANS)
def test_plans(tmp_path: Path, options: dict[str, Any], expected: dict[str, object]) -> None:
    async def scene(w: World) -> LoadPlan:
        await w.generate(prompt="x", options=options)
        return w.launcher.plans[0]

    plan = play(tmp_path, scene)
    assert {name: getattr(plan, name) for name in expected} == expected


def test_the_servers_settings_reach_the_plan(tmp_path: Path) -> None:
    async def scene(w: World) -> LoadPlan:
        await w.generate(prompt="x")
        (digest,) = w.layers()["model"]
        assert w.launcher.plans[0].model == str(w.root / "blobs" / f"sha256-{digest}")
        return w.launcher.plans[0]

    settings: dict[str, Any] = {"num_parallel": 4, "max_sequences": 9, "flash_attention": True}
    plan = play(tmp_path, scene, b"", kv_cache_type="q8_0", speculation="off", **settings)
    assert (plan.n_parallel, plan.max_sequences) == (4, 9)
    assert (plan.flash_attention, plan.kv_type, plan.speculation) == (True, "q8_0", "off")


DRAFTS: dict[str, tuple[str, bytes, bool]] = {
    "on": ("on", tiny(n_ctx=64), True),
    "from the text only": ("lookup", tiny(n_ctx=64), False),
    "off": ("off", tiny(n_ctx=64), False),
    "a head of another model": ("on", tiny(arch="eagle3"), False),
    "lost": ("on", b"", False),
}


@pytest.mark.parametrize(("speculation", "draft", "is_used"), DRAFTS.values(), ids=DRAFTS)
def test_the_draft_model(tmp_path: Path, speculation: str, draft: bytes, is_used: bool) -> None:
    async def scene(w: World) -> None:
        digest = await w.upload(draft or tiny(n_ctx=32))
        await w.create("child", **{"from": "m"}, draft_files={"d.gguf": digest})
        path = w.library.blobs.path(Digest.parse(digest))
        if not draft:
            path.unlink()
        assert text_of(await w.generate("child", prompt="x")) == "four"
        await w.generate("m", prompt="x")
        (plan,) = w.launcher.plans
        assert plan.draft == (str(path) if is_used else "")

    play(tmp_path, scene, speculation=speculation)


def test_a_pool_is_never_larger_than_the_engine_can_count(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", options={"num_ctx": 8192})
        assert w.launcher.plans[0].n_parallel == 2**31 // 8192

    play(tmp_path, scene, b"", num_parallel=10**18)


def test_the_models_own_parameters_count_too(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("small", parameters={"num_ctx": 512})
        await w.generate("small", prompt="x")
        await w.generate("small", prompt="x", options={"num_ctx": 1024})
        assert [plan.n_ctx for plan in w.launcher.plans] == [512, 1024]

    play(tmp_path, scene)


def test_sampling_options_do_not_reload(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        await w.generate(prompt="x", options={"temperature": 0, "seed": 5, "stop": ["."]})
        await w.chat(messages=HI, shift=False)
        await w.chat(messages=HI, options={"num_ctx": 100})  # fits into what is there
        assert len(w.launcher.plans) == 1
        assert w.order.n_ctx == 100
        await w.generate(prompt="x", options={"num_ctx": 8000})
        assert [plan.n_ctx for plan in w.launcher.plans] == [4096, 8000]
        await w.generate(prompt="x")  # no wish: what is loaded will do
        assert (len(w.launcher.plans), w.order.n_ctx) == (2, 8000)

    play(tmp_path, scene)


SHIFTS: dict[str, tuple[str, bool | None, bool]] = {
    "by default": ("llama", None, True),
    "refused": ("llama", False, False),
    "a family whose cells cannot move": ("deepseek2", None, False),
    "and somebody who wants it all the same": ("deepseek2", True, True),
}


@pytest.mark.parametrize(("arch", "wish", "shifts"), SHIFTS.values(), ids=SHIFTS)
def test_whether_a_full_context_shifts(
    tmp_path: Path, arch: str, wish: bool | None, shifts: bool
) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x", shift=wish)
        assert w.order.shift is shifts

    play(tmp_path, scene, tiny(arch=arch))


CACHES = {
    "quantised": ("q8_0", None, "q8_0"),
    "quantised, with flash attention": ("q4_0", True, "q4_0"),
    "quantised, without what it needs": ("q8_0", False, "f16"),
    "whole, without flash attention": ("f32", False, "f32"),
}


@pytest.mark.parametrize(("wanted", "flash", "used"), CACHES.values(), ids=CACHES)
def test_a_quantised_cache_needs_flash_attention(
    tmp_path: Path, wanted: str, flash: bool | None, used: str
) -> None:
    async def scene(w: World) -> None:
        await w.generate(prompt="x")
        (plan,) = w.launcher.plans
        assert (plan.kv_type, plan.flash_attention) == (used, flash)

    play(tmp_path, scene, kv_cache_type=wanted, flash_attention=flash)
