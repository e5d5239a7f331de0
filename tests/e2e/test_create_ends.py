"""Conversions and quantisations that cannot come to their end: nothing of them stays, in the store
or beside it, and the server goes on.
"""

from __future__ import annotations

import os
import resource
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import Start
from tests.e2e.server import Server, is_running, processes, until
from tests.fakes.checkpoints import llama_weights, make_checkpoint
from tests.fakes.ggufs import make_tiny_llama

pytestmark = pytest.mark.e2e

CHILDREN = {"converter": "puna.convert.converter", "quantizer": "puna.convert.quantizer"}
LIMIT = 100_000  # bytes, less than what either child writes


def orders(server: Server, folder: Path) -> dict[str, dict[str, Any]]:
    """By the child that it takes, what to ask for."""
    source = make_checkpoint(folder / "hf", llama_weights() | wide_head())
    checkpoint = {path.name: server.upload(path.read_bytes()) for path in source.iterdir()}
    weights = make_tiny_llama(folder / "wide.gguf", n_embd=256).read_bytes()
    return {
        "converter": {"files": checkpoint},
        "quantizer": {"files": {"wide.gguf": server.upload(weights)}, "quantize": "q4_K_M"},
    }


def wide_head() -> dict[str, Any]:
    """Tensors that make the file longer than the limit."""
    random = np.random.default_rng(1)
    return {
        name: random.normal(size=(4000, 32)).astype(np.float32)
        for name in ("model.embed_tokens.weight", "lm_head.weight")
    }


def child_of(server: Server, kind: str) -> int:
    """The child at work, which is stopped: it does not end before something is done to it."""
    until(lambda: bool(processes(server.home, CHILDREN[kind])), f"the {kind} starts")
    [pid] = processes(server.home, CHILDREN[kind])
    os.kill(pid, signal.SIGSTOP)
    return pid


def has_ended(pid: int) -> bool:
    return not is_running(pid)


def test_a_child_that_is_killed_left_or_limited_leaves_nothing(
    start: Start, tmp_path: Path
) -> None:
    server = start(PUNA_DRAIN_TIMEOUT="1s")
    asked = orders(server, tmp_path)
    before = server.files()

    def nothing_stays() -> bool:
        return server.files() == before and not list((server.store / ".puna.work").glob("*"))

    for kind, order in asked.items():
        with server.sent("/api/create", model="new", stream=False, **order) as connection:
            os.kill(child_of(server, kind), signal.SIGKILL)
            with connection.getresponse() as reply:
                assert reply.status == 500
                assert f"the {kind} ended: killed by SIGKILL" in reply.read().decode()
        until(nothing_stays, f"what the killed {kind} wrote is gone")
        with server.sent("/api/create", model="new", **order):
            pid = child_of(server, kind)
        until(partial(has_ended, pid), f"the {kind} ends, as nobody listens")
        until(nothing_stays, f"what the {kind} of nobody wrote is gone")
        had = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (LIMIT, had[1]))
        answer = server.post("/api/create", model="new", stream=False, **order)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, had)
        assert answer.status == 400
        assert "too large" in answer.error or "cannot be written in full" in answer.error
        until(nothing_stays, f"what the limited {kind} wrote is gone")
    with server.sent("/api/create", model="new", **asked["converter"]):
        pid = child_of(server, "converter")
        assert server.end() == 0, server.log
    assert not is_running(pid)
    assert nothing_stays()
