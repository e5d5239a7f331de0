"""Each sampling option does what it says, on a real model."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from puna.errors import BadRequest
from puna.runner.handle import ProcessEngine
from puna.runner.protocol import LoadPlan, Sampling
from tests.fakes.ggufs import make_tiny_llama
from tests.runner.test_engine import answer, order, with_engine

HOT = 1.5


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    return LoadPlan(model=str(make_tiny_llama(path)), n_ctx=512)


ONLY_THE_LIKELIEST = {
    "top_k 1": Sampling(temperature=HOT, top_k=1, seed=5),
    "top_p near 0": Sampling(temperature=HOT, top_p=1e-9, seed=5),
    "top_p 0": Sampling(temperature=HOT, top_p=0, seed=5),
    "min_p 1": Sampling(temperature=HOT, min_p=1, seed=5),
    "min_p above 1 keeps the likeliest": Sampling(temperature=HOT, min_p=3, seed=5),
    "temperature below 0": Sampling(temperature=-1, seed=5),
    "neutral penalties": Sampling(temperature=0, repeat_last_n=-1),
    "penalties over no tokens": Sampling(temperature=0, repeat_last_n=0, repeat_penalty=9.0),
}


@pytest.mark.parametrize("sampling", ONLY_THE_LIKELIEST.values(), ids=ONLY_THE_LIKELIEST)
def test_options_that_leave_one_token_are_greedy(plan: LoadPlan, sampling: Sampling) -> None:
    async def use(engine: ProcessEngine) -> None:
        greedy, _ = await answer(engine, order("Once", 30))
        assert (await answer(engine, order("Once", 30, sampling=sampling)))[0] == greedy

    with_engine(plan, use)


PENALTIES = {
    "repeat_penalty": Sampling(temperature=0, repeat_penalty=50.0, repeat_last_n=-1),
    "presence_penalty": Sampling(temperature=0, presence_penalty=100.0, repeat_last_n=-1),
    "frequency_penalty": Sampling(temperature=0, frequency_penalty=100.0, repeat_last_n=-1),
}


@pytest.mark.parametrize("sampling", PENALTIES.values(), ids=PENALTIES)
def test_penalties_keep_words_from_coming_back(plan: LoadPlan, sampling: Sampling) -> None:
    async def use(engine: ProcessEngine) -> None:
        plain = (await answer(engine, order("Once", 60)))[0].split()
        assert len(set(plain)) < len(plain)
        words = (await answer(engine, order("Once", 20, sampling=sampling)))[0].split()
        assert len(set(words)) == len(words)

    with_engine(plan, use)


def test_penalties_see_the_prompt(plan: LoadPlan) -> None:
    async def use(engine: ProcessEngine) -> None:
        first = (await answer(engine, order("Once", 1)))[0]
        prompt = f"Once{first} Once"
        sampling = Sampling(temperature=0, presence_penalty=100.0, repeat_last_n=-1)
        words = (await answer(engine, order(prompt, 20, sampling=sampling)))[0].split()
        assert first.strip() not in words

    with_engine(plan, use)


SEEDED = {
    "the defaults": {},
    "everything": {"typical_p": 0.9, "min_p": 0.01, "repeat_penalty": 1.1, "top_p": 0.8},
    "mirostat 1": {"mirostat": 1},
    "mirostat 2": {"mirostat": 2},
    "biases": {"logit_bias": ((" the", -100.0), (300, 2.0))},
}


@pytest.mark.parametrize("fields", SEEDED.values(), ids=SEEDED)
def test_a_seed_gives_the_same_text_alone_and_in_a_full_batch(
    plan: LoadPlan, fields: dict[str, Any]
) -> None:
    async def use(engine: ProcessEngine) -> None:
        orders = [
            order(f"Once {n}", 40, sampling=Sampling(temperature=HOT, seed=n, **fields))
            for n in range(16)
        ]
        alone = [(await answer(engine, each))[0] for each in orders[:4]]
        together = await asyncio.gather(*(answer(engine, each) for each in orders))
        assert [text for text, _ in together[:4]] == alone
        assert len({text for text, _ in together}) == len(orders)

    exact = msgspec.structs.replace(plan, n_parallel=4, kv_type="f32", flash_attention=False)
    with_engine(exact, use)


def test_a_wide_seed_counts_modulo_32_bits(plan: LoadPlan) -> None:
    async def use(engine: ProcessEngine) -> None:
        texts = [
            (
                await answer(
                    engine, order("Once", 20, sampling=Sampling(temperature=HOT, seed=seed))
                )
            )[0]
            for seed in (7, 7 + 2**32, 8)
        ]
        assert texts[0] == texts[1] != texts[2]

    with_engine(plan, use)


def test_without_a_seed_answers_differ(plan: LoadPlan) -> None:
    async def use(engine: ProcessEngine) -> None:
        texts = {
            (await answer(engine, order("Once", 20, sampling=Sampling(temperature=HOT))))[0]
            for _ in range(4)
        }
        assert len(texts) > 1

    with_engine(plan, use)


REFUSED = {
    "repeat_penalty 0": Sampling(repeat_penalty=0),
    "repeat_penalty below 0": Sampling(repeat_penalty=-1),
    "a temperature that no 32-bit float holds": Sampling(temperature=1e300),
    "an infinite penalty": Sampling(presence_penalty=float("inf")),
}


@pytest.mark.parametrize("sampling", REFUSED.values(), ids=REFUSED)
def test_values_the_engine_would_die_of_are_refused(plan: LoadPlan, sampling: Sampling) -> None:
    async def use(engine: ProcessEngine) -> None:
        with pytest.raises(BadRequest):
            await answer(engine, order("Once", 5, sampling=sampling))
        assert (await answer(engine, order("Once", 5)))[1].eval_tokens == 5

    with_engine(plan, use)
