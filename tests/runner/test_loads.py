"""Loads that stall, move on slowly or end early, with real children."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from puna.config import FOREVER
from puna.errors import EngineError, OutOfMemory, StartFailed
from puna.runner.fake import info_of
from puna.runner.handle import ProcessEngine
from puna.runner.last_words import LastWords, is_out_of_memory
from puna.runner.launcher import ProcessLauncher
from puna.runner.link import Link
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.wire import Loading, Ready, encode_frame
from tests.fakes.ggufs import make_tiny_llama
from tests.runner.test_engine import answer, with_engine


def test_a_load_without_progress_is_given_up(tmp_path: Path) -> None:
    """45: the child has not even started within ten milliseconds."""
    path = make_tiny_llama(tmp_path / "tiny.gguf")

    async def run() -> None:
        async with asyncio.timeout(60), ProcessLauncher(load_timeout=0.01) as launcher:
            await launcher.launch(LoadPlan(model=str(path)))

    with pytest.raises(StartFailed, match=r"timed out waiting for model runner.* progress 0\.00"):
        asyncio.run(run())


def test_progress_extends_the_time_of_a_load() -> None:
    """45: a child that says every now and then how far it is, played by this test."""

    async def run() -> None:
        plan, (ours, theirs) = LoadPlan(model="m"), socket.socketpair()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
        )
        engine = ProcessEngine(process, await Link.open(ours), FOREVER)

        async def play() -> None:
            for step in range(11):
                await asyncio.sleep(0.2)
                theirs.send(encode_frame(Loading(step / 11)))
            theirs.send(encode_frame(Ready(info_of(plan))))

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(play())
            await engine.load(plan, stall_seconds=2.0)  # which all of it takes longer than
        assert engine.info.n_ctx == plan.n_ctx
        await process.communicate(b"\n")
        theirs.close()

    asyncio.run(run())


def test_the_last_words_of_a_child_are_in_the_message() -> None:
    """47"""

    async def run() -> str:
        words, stream = LastWords(), asyncio.StreamReader()
        for line in ("I loading", "E cannot map the file", "GGML_ASSERT(x) failed"):
            stream.feed_data(f"{line}\n".encode())
        stream.feed_eof()
        await words.listen(stream, 7)
        return str(words)

    assert asyncio.run(run()) == "E cannot map the file; GGML_ASSERT(x) failed"


CARD = "CUDA error: out of memory"
ENDS: dict[str, tuple[list[str], str, type[EngineError], str]] = {
    "an abort for want of memory": (
        [CARD, "libggml-base.so(+0x1d)", "libggml.so(+0x2e)", "libc.so.6(+0x3f)"],
        "os.abort()",
        OutOfMemory,
        f"killed by SIGABRT: {CARD}",
    ),
    "an abort for another reason": (
        ["GGML_ASSERT(x) failed", "libc.so.6(+0x3f)"],
        "os.abort()",
        StartFailed,
        "killed by SIGABRT: GGML_ASSERT(x) failed",
    ),
    "no memory in Python": (
        ["Traceback (most recent call last):", "MemoryError"],
        "sys.exit(1)",
        OutOfMemory,
        "exit status 1: MemoryError",
    ),
    "killed by somebody": (
        ["W a warning"],
        "os.kill(os.getpid(), 9)",
        StartFailed,
        "killed by SIGKILL",
    ),
}


@pytest.mark.parametrize(("said", "ends", "kind", "cause"), ENDS.values(), ids=ENDS)
def test_a_child_that_ends_while_it_loads(
    said: list[str], ends: str, kind: type[EngineError], cause: str
) -> None:
    """47: the error has what it said, and what it said decides whether a load is tried again."""
    lines = "\n".join(said)
    program = f"import os, sys; print({lines!r}, file=sys.stderr, flush=True); {ends}"

    async def run() -> EngineError:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                program,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            engine = await ProcessEngine.of(process, ours, tasks, lambda engine: None)
            with pytest.raises(EngineError) as failure:
                await engine.load(LoadPlan(model="m"), FOREVER)
        return failure.value

    error = asyncio.run(run())
    assert type(error) is kind
    assert str(error) == f"model runner process has terminated: {cause}"


SAID = {
    "a card": ("cudaMalloc failed: out of memory", True),
    "a card of another kind": ("ErrorOutOfDeviceMemory: VK_ERROR_OUT_OF_DEVICE_MEMORY", True),
    "the machine": ("alloc_tensor_range: failed to allocate CPU buffer of size 99", True),
    "a file that is cut": ("tensor data is not within the file bounds", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("errors", "is_memory"), SAID.values(), ids=SAID)
def test_too_little_memory_is_told_from_other_failures(errors: str, is_memory: bool) -> None:
    """46: by what this very load said; a runner loads once, so nothing older can be meant."""
    assert is_out_of_memory(errors) == is_memory


PLACED: dict[str, LoadPlan] = {
    "no layer on cards": LoadPlan(model="", n_ctx=256, n_gpu_layers=0),
    "cards that are gone": LoadPlan(
        model="", n_ctx=256, n_gpu_layers=3, cards=(0, 1), card_layers=(1, 2)
    ),
}


@pytest.mark.parametrize("plan", PLACED.values(), ids=PLACED)
def test_layers_are_placed_as_planned(tmp_path: Path, plan: LoadPlan) -> None:
    """As far as an engine built for processors can tell: on cards nothing is left."""

    path = make_tiny_llama(tmp_path / "tiny.gguf")

    async def use(engine: ProcessEngine) -> None:
        assert (await answer(engine, Generation(prompt="x", max_tokens=4, n_ctx=64)))[0]
        assert engine.info.size_vram == 0

    with_engine(replace(plan, model=str(path)), use)


LONGEST = {"no limit": (-1, 160), "less": (7, 7), "more than ten contexts": (999, 160)}


def test_an_answer_is_never_longer_than_ten_contexts(tmp_path: Path) -> None:
    """49"""
    path = make_tiny_llama(tmp_path / "tiny.gguf")

    async def use(engine: ProcessEngine) -> None:
        eos = tuple(await engine.tokenize(engine.info.eos))
        sampling = Sampling(seed=1, logit_bias=tuple((token, -100.0) for token in eos))
        for wanted, length in LONGEST.values():
            order = Generation(prompt="x", n_ctx=16, max_tokens=wanted, sampling=sampling)
            assert (await answer(engine, order))[1].eval_tokens == length

    with_engine(LoadPlan(model=str(path), n_ctx=128, speculation="off"), use)
