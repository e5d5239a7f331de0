"""What forces a reload and what does not."""

from __future__ import annotations

import msgspec
import pytest

from puna.runner.protocol import LoadPlan
from puna.scheduler.plans import compatible, mismatch

LOADED = LoadPlan(
    model="/blobs/a",
    draft="/blobs/d",
    projector="/blobs/p",
    n_ctx=4096,
    n_batch=512,
    n_threads=4,
    n_gpu_layers=20,
    main_gpu=1,
    use_mmap=False,
    flash_attention=True,
)

CASES: dict[str, tuple[dict[str, object], str]] = {
    "the same": ({}, ""),
    "a smaller context is served from the pool": ({"n_ctx": 1024}, ""),
    "a larger context": ({"n_ctx": 8192}, "n_ctx"),
    "a larger context of our own than somebody's": ({"n_ctx": 8192, "n_ctx_auto": True}, "n_ctx"),
    "a smaller context of our own": ({"n_ctx": 2048, "n_ctx_auto": True}, ""),
    "other adapters": ({"adapters": ("/blobs/x",)}, "adapters"),
    "other weights": ({"model": "/blobs/b"}, "model"),
    "another batch": ({"n_batch": 256}, "n_batch"),
    "an automatic batch": ({"n_batch": 0}, ""),
    "layers left to us": ({"n_gpu_layers": -1}, ""),
    "all layers": ({"n_gpu_layers": 99}, "n_gpu_layers"),
    "no layers is a wish like another": ({"n_gpu_layers": 0}, "n_gpu_layers"),
    "threads left to us": ({"n_threads": 0}, ""),
    "other threads": ({"n_threads": 8}, "n_threads"),
    "any card": ({"main_gpu": None}, ""),
    "the first card is a wish like another": ({"main_gpu": 0}, "main_gpu"),
    "mmap left to us": ({"use_mmap": None}, ""),
    "mmap on": ({"use_mmap": True}, "use_mmap"),
    "mmap off, as it is": ({"use_mmap": False}, ""),
    "flash attention left to us": ({"flash_attention": None}, ""),
    "flash attention off": ({"flash_attention": False}, "flash_attention"),
    "another cache type": ({"kv_type": "q8_0"}, "kv_type"),
    "vectors of a model that also generates": ({"embedding_only": True}, ""),
    "another draft model": ({"draft": "/blobs/e"}, "draft"),
    "a draft model that nobody asked for": ({"draft": ""}, ""),
    "another projector": ({"projector": "/blobs/q"}, "projector"),
    "a projector that nobody asked for": ({"projector": ""}, ""),
    "pool sizes are the server's affair": ({"n_parallel": 4, "max_sequences": 2}, ""),
}


@pytest.mark.parametrize(("changes", "reason"), CASES.values(), ids=CASES)
def test_what_forces_a_reload(changes: dict[str, object], reason: str) -> None:
    wanted = msgspec.structs.replace(LOADED, **changes)
    assert mismatch(LOADED, wanted) == reason
    assert compatible(LOADED, wanted) == (reason == "")


def test_an_explicit_wish_is_not_met_by_what_was_left_to_the_load() -> None:
    automatic = LoadPlan(model="/blobs/a")
    assert mismatch(automatic, LoadPlan(model="/blobs/a", use_mmap=True)) == "use_mmap"
    assert mismatch(automatic, LoadPlan(model="/blobs/a", n_gpu_layers=99)) == "n_gpu_layers"


def test_a_context_that_we_made_smaller_serves_who_asks_for_none() -> None:
    loaded = LoadPlan(model="/blobs/a", n_ctx=4096, n_ctx_auto=True)
    assert mismatch(loaded, LoadPlan(model="/blobs/a", n_ctx=8192, n_ctx_auto=True)) == ""
    assert mismatch(loaded, LoadPlan(model="/blobs/a", n_ctx=8192)) == "n_ctx"


def test_a_runner_for_vectors_only_does_not_generate() -> None:
    loaded = LoadPlan(model="/blobs/a", embedding_only=True)
    assert mismatch(loaded, LoadPlan(model="/blobs/a")) == "embedding_only"
    assert compatible(loaded, loaded)
