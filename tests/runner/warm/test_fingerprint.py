"""What cells depend on makes another fingerprint, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from puna.runner.protocol import LoadPlan
from puna.runner.warm.fingerprint import fingerprint

BLOB = "/models/blobs/sha256-" + "a" * 64
OTHER = "/models/blobs/sha256-" + "b" * 64
PLAN = LoadPlan(model=BLOB)

SAME: dict[str, dict[str, Any]] = {
    "another place": {"model": "/elsewhere/sha256-" + "a" * 64},
    "a larger context": {"n_ctx": 8192, "n_ctx_auto": True, "n_parallel": 4},
    "other speeds": {"n_batch": 64, "n_threads": 3, "max_sequences": 5, "use_mmap": False},
    "guessing": {"speculation": "off", "draft": OTHER},
}
ANOTHER: dict[str, dict[str, Any]] = {
    "weights": {"model": OTHER},
    "adapters": {"adapters": (OTHER,)},
    "type of the cells": {"kv_type": "q8_0"},
    "flash attention": {"flash_attention": True},
    "device": {"n_gpu_layers": 0},
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_same(change: dict[str, Any]) -> None:
    assert fingerprint(msgspec.structs.replace(PLAN, **change), "e") == fingerprint(PLAN, "e")


@pytest.mark.parametrize("change", ANOTHER.values(), ids=ANOTHER)
def test_another(change: dict[str, Any]) -> None:
    assert fingerprint(msgspec.structs.replace(PLAN, **change), "e") != fingerprint(PLAN, "e")


def test_engine_and_variant() -> None:
    prints = [fingerprint(PLAN, "e"), fingerprint(PLAN, "f"), fingerprint(PLAN, "e", "n_ctx 8")]
    assert len(set(prints)) == 3


def test_the_order_of_adapters() -> None:
    plans = [LoadPlan(model=BLOB, adapters=pair) for pair in ((BLOB, OTHER), (OTHER, BLOB))]
    assert fingerprint(plans[0], "e") != fingerprint(plans[1], "e")


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    prints: list[bytes] = []
    for content in (b"one", b"two", b"one"):
        path = tmp_path / f"{len(prints)}.gguf"
        path.write_bytes(content)
        prints.append(fingerprint(LoadPlan(model=str(path)), "e"))
    assert prints[0] == prints[2] != prints[1]
