"""A real runner child on real models: text, batching, cancellation, refusals and death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from puna.api.events import Logprob
from puna.errors import BadRequest, EngineDied, StartFailed
from puna.runner.handle import ProcessEngine
from puna.runner.launcher import ProcessLauncher
from puna.runner.protocol import Embedding, Finished, Generation, LoadPlan, Piece, Sampling
from puna.runner.wire import FromRunner, Resized
from tests.fakes.fixtures import stories_gguf
from tests.fakes.ggufs import CONTROL_TYPE, make_tiny_adapter, make_tiny_llama, make_vocabulary

GREEDY = Sampling(temperature=0)
EXACT = LoadPlan(model="", n_ctx=512, kv_type="f32", flash_attention=False)
"""Flash attention rounds to f16, and differently in batches of another shape: that decides ties."""

PROMPTS = [
    "Once upon a time",
    "Lily and Tom",
    "The dog",
    "One day a boy",
    "In the park",
    "A bird",
    "Mom said",
    "The sun was",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    make_tiny_llama(path)
    return path


@asynccontextmanager
async def loaded(plan: LoadPlan) -> AsyncIterator[ProcessEngine]:
    async with ProcessLauncher(load_timeout=60) as launcher:
        yield await launcher.launch(plan)


def with_engine(plan: LoadPlan, use: Callable[[ProcessEngine], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), loaded(plan) as engine:
            await use(engine)

    asyncio.run(run())


async def answer(engine: ProcessEngine, order: Generation) -> tuple[str, Finished]:
    text = ""
    async with engine.generate(order) as events:
        async for event in events:
            if isinstance(event, Finished):
                return text, event
            text += event.text
    raise AssertionError("the generation ended without its last event")


def test_control_tokens_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    vocabulary = make_vocabulary()
    token = len(vocabulary.tokens)
    vocabulary.tokens.append("[CALLS]")
    vocabulary.scores.append(0.0)
    vocabulary.types.append(CONTROL_TYPE)
    vocabulary.biases.append(-60.0)
    path = make_tiny_llama(tmp_path / "calls.gguf", vocabulary=vocabulary)

    async def use(engine: ProcessEngine) -> None:
        always = Sampling(temperature=0, logit_bias=((token, 100.0),))
        shown = {
            (): "",
            ("[CALLS]",): "[CALLS][CALLS]",
            ("[CALLS", "dog", "[CALLS]"): "[CALLS][CALLS]",
        }
        for visible, expected in shown.items():
            text, end = await answer(engine, order("the", 2, sampling=always, visible=visible))
            assert (text, end.eval_tokens) == (expected, 2)

    with_engine(LoadPlan(model=str(path), n_ctx=512), use)


def order(prompt: str, max_tokens: int = 40, **fields: object) -> Generation:
    whole = {"sampling": GREEDY, "n_ctx": 512, "max_tokens": max_tokens, **fields}
    return Generation(prompt=prompt, **whole)  # type: ignore[arg-type]


def test_the_story_that_the_model_tells() -> None:
    async def use(engine: ProcessEngine) -> None:
        text, end = await answer(engine, order("Once upon a time", 40))
        assert text == (
            ", there was a little girl named Lily. She loved to play outside in the park. One day,"
            " she saw a big, red ball."
        )
        assert (end.reason, end.prompt_tokens, end.eval_tokens) == ("length", 5, 40)
        assert end.prompt_ns > 0
        assert end.eval_ns > 0

    with_engine(LoadPlan(model=str(stories_gguf()), n_ctx=512), use)


@pytest.mark.parametrize("n_parallel", [1, 4], ids=["cells run short", "room for all"])
def test_eight_at_once_say_what_each_says_alone(tiny: Path, n_parallel: int) -> None:
    """With cells for 512 tokens, eight answers of 150 tokens must preempt and resume each other."""

    async def use(engine: ProcessEngine) -> None:
        orders = [order(prompt, 150) for prompt in PROMPTS]
        alone = [await answer(engine, each) for each in orders]
        together = await asyncio.gather(*(answer(engine, each) for each in orders))
        assert [text for text, _ in together] == [text for text, _ in alone]
        assert [end.eval_tokens for _, end in together] == [150] * 8

    with_engine(replace(EXACT, model=str(tiny), n_parallel=n_parallel), use)


@pytest.mark.parametrize("n_parallel", [1, 4], ids=["cells run short", "room for all"])
def test_eight_stories_at_once_are_the_same_as_alone(n_parallel: int) -> None:
    async def use(engine: ProcessEngine) -> None:
        orders = [order(prompt, 150) for prompt in PROMPTS]
        alone = [await answer(engine, each) for each in orders]
        together = await asyncio.gather(*(answer(engine, each) for each in orders))
        assert [text for text, _ in together] == [text for text, _ in alone]

    plan = replace(EXACT, model=str(stories_gguf()), n_parallel=n_parallel, n_threads=2)
    with_engine(plan, use)


def test_a_seed_gives_the_same_text_alone_and_in_company(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        seeded = order("Once", 60, sampling=Sampling(temperature=1.0, seed=7))
        alone, _ = await answer(engine, seeded)
        others = [order(prompt, 60, sampling=Sampling(seed=3)) for prompt in PROMPTS]
        (text, _), *_ = await asyncio.gather(
            answer(engine, seeded), *(answer(engine, each) for each in others)
        )
        other, _ = await answer(engine, order("Once", 60, sampling=Sampling(seed=8)))
        assert text == alone
        assert other != alone

    with_engine(LoadPlan(model=str(tiny), n_ctx=512, n_parallel=4), use)


def test_a_batch_smaller_than_the_number_of_sequences(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        assert (await answer(engine, order("Once", 5)))[1].eval_tokens == 5

    with_engine(LoadPlan(model=str(tiny), n_ctx=512, n_batch=1), use)


@pytest.mark.parametrize("n_ctx", [4, 16, 64, 65, 300])
def test_a_context_smaller_than_the_number_of_sequences_or_a_batch(n_ctx: int, tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        orders = [order(prompt * 9, 5, n_ctx=n_ctx) for prompt in PROMPTS * 3]
        done = await asyncio.gather(*(answer(engine, each) for each in orders))
        assert [finished.eval_tokens for _, finished in done] == [5] * len(orders)

    with_engine(LoadPlan(model=str(tiny), n_ctx=n_ctx), use)


def test_leaving_early_cancels_within_a_step(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        async with engine.generate(order("Once", 5000, n_ctx=256)) as events:
            first = await anext(events)
            assert isinstance(first, Piece)
        # the pool has room for one such sequence only: this answer proves that it was freed
        _, end = await answer(engine, order("Once", 20, n_ctx=256))
        assert end.eval_tokens == 20

    with_engine(LoadPlan(model=str(tiny), n_ctx=256, max_sequences=1), use)


def test_a_full_context_shifts_or_ends(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        _, shifted = await answer(engine, order("Once", 100, n_ctx=32))
        assert (shifted.reason, shifted.eval_tokens, shifted.truncated) == ("length", 100, True)
        _, ended = await answer(engine, order("Once", 100, n_ctx=32, shift=False))
        assert ended.reason == "length"
        assert ended.prompt_tokens + ended.eval_tokens == 33
        assert not ended.truncated

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_long_prompts_are_cut_or_refused(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        long = "word " * 200
        _, cut = await answer(engine, order(long, 1, n_ctx=64))
        assert cut.truncated
        assert cut.prompt_tokens == 64 - (64 - 5) // 2
        for fields in ({"truncate": False}, {"shift": False}):
            with pytest.raises(BadRequest, match="longer than the context length"):
                await answer(engine, order(long, 1, n_ctx=64, **fields))

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_a_generation_ends_in_order_when_it_is_enough(tiny: Path) -> None:
    most, n_ctx = 50_000, 8192  # which take so long that no test is too slow to end them

    async def use(engine: ProcessEngine) -> None:
        async with engine.generate(order("Once", most, n_ctx=n_ctx)) as events:
            pieces = [await anext(events) for _ in range(3)]
            for _ in range(2):  # the second time means nothing
                events.finish()
            rest = [event async for event in events]
            last = rest.pop()
            events.finish()
        assert isinstance(last, Finished)
        assert (last.reason, last.prompt_tokens) == ("stop", len(await engine.tokenize("Once")) + 1)
        assert len(pieces) <= last.eval_tokens < most
        whole, _ = await answer(engine, order("Once", last.eval_tokens, n_ctx=n_ctx))
        said = "".join(each.text for each in (*pieces, *rest) if isinstance(each, Piece))
        assert said == whole

    with_engine(replace(EXACT, model=str(tiny), n_ctx=n_ctx), use)


def test_bad_requests_are_refused_alone(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        async with engine.generate(order("Once", 60)) as events:
            await anext(events)
            for bad in (
                order("x", format='{"type":"nothing"}'),
                order("x", format='{"$ref":"https://example.com/schema"}'),
                order("x", format='{"enum":[]}'),
                order("x", format='{"type":"object","minProperties":-1}'),
                order("x", sampling=Sampling(repeat_penalty=0)),
                order("x", prefix=(10**6,)),
            ):
                with pytest.raises(BadRequest):
                    await answer(engine, bad)
            rest = [event async for event in events]
            assert isinstance(rest[-1], Finished)

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 0, "maximum": 999},
        "kind": {"enum": ["cat", "dog"]},
        "list": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
        "word": {"type": "string", "maxLength": 12},
    },
    "required": ["n", "kind", "list", "word"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("seed", range(4))
def test_format_constrains_the_answer(tiny: Path, seed: int) -> None:
    async def use(engine: ProcessEngine) -> None:
        sampling = Sampling(temperature=1.0, seed=seed)
        asked = order("Once", 300, format=json.dumps(SCHEMA), sampling=sampling, top_logprobs=2)
        text, end = await answer(engine, asked)
        assert end.reason == "stop"
        value = json.loads(text)
        assert list(value) == ["n", "kind", "list", "word"]
        assert 0 <= value["n"] <= 999
        assert value["kind"] in {"cat", "dog"}
        assert 1 <= len(value["list"]) <= 3
        assert all(isinstance(each, bool) for each in value["list"])
        assert len(value["word"]) <= 12
        text, _ = await answer(engine, order("Once", 10, format='"json"'))
        assert text.lstrip().startswith("{")

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_log_probabilities_add_up(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        entries: list[Logprob] = []
        async with engine.generate(order("Once", 5, top_logprobs=3)) as events:
            async for event in events:
                if isinstance(event, Piece):
                    entries += event.logprobs
        assert len(entries) == 5
        for entry in entries:
            assert entry.logprob <= 0
            top = [each.logprob for each in entry.top_logprobs]
            assert len(top) == 3
            assert top == sorted(top, reverse=True)
            assert entry.logprob == top[0]  # greedy takes the likeliest

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_tokens_of_prompt_and_answer_continue_the_text(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        whole, _ = await answer(engine, order("Once", 40))
        first, end = await answer(engine, order("Once", 20, want_tokens=True))
        assert end.tokens is not None
        second, _ = await answer(engine, order("", 20, prefix=end.tokens))
        assert first + second == whole
        assert await engine.detokenize(end.tokens[-3:])

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_a_model_that_needs_a_second_context_says_that_it_is_larger_now(tiny: Path) -> None:
    async def grown(engine: ProcessEngine, size: int) -> int:
        while engine.info.size == size:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return engine.info.size

    async def use(engine: ProcessEngine) -> None:
        loaded = engine.info.size
        await engine.embed(Embedding(inputs=("a text",)))
        embedding = await grown(engine, loaded)
        for seed in range(3):  # what the first left in the pool is in the way of the others
            prompt = f"{seed} " * 450
            await answer(engine, Generation(prompt=prompt, n_ctx=1024, max_tokens=2))
        assert loaded < embedding < await grown(engine, embedding)

    with_engine(LoadPlan(model=str(tiny), n_ctx=1024, n_parallel=4), use)


def test_a_runner_that_is_left_alone_makes_what_answers_will_need(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        sizes = [engine.info.size]
        dispatch = engine._dispatch

        def hear(message: FromRunner) -> None:
            if isinstance(message, Resized):
                sizes.append(message.size)
            dispatch(message)

        engine._link.listen(hear)
        while len(sizes) < 3:  # noqa: ASYNC110 - for a sequence alone, for several
            await asyncio.sleep(0.02)
        assert sizes == sorted(sizes)
        prompts = [f"{seed} " * 300 for seed in range(4)]
        orders = [Generation(prompt=prompt, n_ctx=1024, max_tokens=12) for prompt in prompts]
        await asyncio.gather(*(answer(engine, order) for order in orders))
        assert engine.info.size == sizes[-1]

    with_engine(LoadPlan(model=str(tiny), n_ctx=1024, n_parallel=4), use)


def test_tokens_and_text(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        tokens = await engine.tokenize("Once upon a time")
        assert (await engine.detokenize(tokens)).strip() == "Once upon a time"
        assert await engine.count("Once upon a time") == len(tokens)
        with pytest.raises(BadRequest, match="vocabulary"):
            await engine.detokenize([10**6])

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_nobody_waits_for_another_s_long_text(tiny: Path) -> None:
    async def use(engine: ProcessEngine) -> None:
        text = "hello " * 200_000
        async with asyncio.TaskGroup() as group:
            long = group.create_task(engine.count(text))
            left = group.create_task(engine.count(text))
            await asyncio.sleep(0)
            assert (await answer(engine, order("Once", 2)))[1].eval_tokens == 2
            assert not long.done()
            left.cancel()
        assert long.result() > 200_000

    with_engine(LoadPlan(model=str(tiny), n_ctx=512), use)


def test_a_killed_runner_fails_its_requests_and_only_those(tiny: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), ProcessLauncher(60) as launcher:
            plan = LoadPlan(model=str(tiny), n_ctx=256)
            doomed, other = await launcher.launch(plan), await launcher.launch(plan)
            async with doomed.generate(order("Once", 5000, n_ctx=256)) as events:
                await anext(events)
                os.kill(doomed.info.pid, signal.SIGKILL)
                with pytest.raises(EngineDied, match=r"unexpectedly stopped.*SIGKILL"):
                    [event async for event in events]
            assert not doomed.alive
            with pytest.raises(EngineDied):
                await doomed.tokenize("x")
            assert (await answer(other, order("Once", 5)))[1].eval_tokens == 5

    asyncio.run(run())


def test_closing_ends_the_child(tiny: Path) -> None:
    async def run() -> int:
        async with asyncio.timeout(60), loaded(LoadPlan(model=str(tiny), n_ctx=256)) as engine:
            return engine.info.pid

    pid = asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_adapter_changes_the_answer(tiny: Path, tmp_path: Path) -> None:
    adapter = make_tiny_adapter(tmp_path / "adapter.gguf")
    texts: list[str] = []

    async def use(engine: ProcessEngine) -> None:
        texts.append((await answer(engine, order("Once", 30)))[0])

    with_engine(LoadPlan(model=str(tiny), n_ctx=256), use)
    with_engine(LoadPlan(model=str(tiny), n_ctx=256, adapters=(str(adapter),)), use)
    assert texts[0] != texts[1]


def test_a_file_that_is_no_adapter_says_why(tiny: Path) -> None:
    async def run() -> None:
        plan = LoadPlan(model=str(tiny), adapters=(str(tiny),))
        async with asyncio.timeout(60), loaded(plan):
            pass

    with pytest.raises(StartFailed, match="failed to load adapter"):
        asyncio.run(run())


def test_a_file_that_is_no_model_says_why(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 100)

    async def run() -> None:
        async with asyncio.timeout(60), loaded(LoadPlan(model=str(path))):
            pass

    with pytest.raises(StartFailed, match=r"failed to load model.* may be incompatible"):
        asyncio.run(run())
