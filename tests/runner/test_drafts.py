"""Guessed tokens on the real engine, whatever the memory: they change nothing that is said.

Guesses are made without regard to their cost, right ones and wrong ones, in every decode.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from puna.api.events import Logprob
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.grammar import Grammars
from puna.runner.llama.library import LOG, lib
from puna.runner.llama.model import Model
from puna.runner.llama.sampler import Sampler
from puna.runner.loop import Loop
from puna.runner.protocol import Finished, Generation, LoadPlan, Sampling
from puna.runner.running import Running
from puna.runner.speculate import Speculation
from puna.runner.text import TextStream
from puna.runner.wire import Refused, Step
from tests.fakes.drafts import RandomDrafts
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.shapes import (
    make_tiny_experts,
    make_tiny_hybrid,
    make_tiny_mamba,
    make_tiny_window,
)

SHAPES: dict[str, Callable[[Path], Path]] = {
    "llama": make_tiny_llama,
    "window": make_tiny_window,
    "state": make_tiny_mamba,
    "attention and states": make_tiny_hybrid,
    "experts": make_tiny_experts,
}
N_CTX = 256
LENGTH = 48
PROMPTS = ["Once upon a time", "Lily and Tom", "The dog ran", "A big red ball and a cat"]
GREEDY = Sampling(temperature=0)


class Engine:
    """A model and its context in this process, and a loop over them."""

    def __init__(self, path: Path, *, n_parallel: int = 4) -> None:
        plan = LoadPlan(
            model=str(path),
            n_ctx=N_CTX,
            n_parallel=n_parallel,
            max_sequences=8,
            kv_type="f32",
            flash_attention=False,
        )
        self.model = Model(plan, lambda _: None)
        self.context = Context(self.model, plan, 1)
        self.grammars = Grammars(self.model)

    def close(self) -> None:
        self.grammars.close()
        self.context.close()
        self.model.close()

    def answers(
        self,
        orders: Sequence[Generation],
        speculation: RandomDrafts | Speculation | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> list[Answer]:
        """What a fresh loop answers to these orders, all at once."""
        answers = [Answer() for _ in orders]

        def deliver(news: Step | Refused) -> None:
            assert isinstance(news, Step), news
            for said in news.said:
                answers[said.id].text += said.piece.text
                answers[said.id].logprobs += said.piece.logprobs
            for ended in news.ended:
                answers[ended.id].end = ended.result

        loop = Loop(self.model, self.context, deliver, clock, cast(Speculation | None, speculation))
        for number, order in enumerate(orders):
            loop.admit(self._running(number, order))
        while not loop.idle:
            loop.step()
        while loop._cells.drop_one():
            pass
        return answers

    def _running(self, number: int, order: Generation) -> Running:
        tokens = self.model.tokenize_prompt(order.prompt)
        matcher = self.grammars.matcher(order)
        sampler = Sampler(self.model, order.sampling, matcher, N_CTX)
        sampler.remember(tokens)
        return Running(
            id=number,
            order=order,
            tokens=tokens,
            sampler=sampler,
            text=TextStream(order.stop),
            n_ctx=N_CTX,
            n_keep=4,
            max_tokens=order.max_tokens,
        )

    def greedy(self, prompt: str, count: int) -> list[int]:
        """What the bare engine says: one token a decode, the likeliest of the logits."""
        said: list[int] = []
        new, position = self.model.tokenize_prompt(prompt), 0
        while len(said) < count and not (said and self.model.is_end(said[-1])):
            self.context.begin()
            index = self.context.add(0, position, new, logits=1)
            assert self.context.decode() is Decoded.OK
            position += len(new)
            new = [int(np.argmax(self.context.logits(index)))]
            said += new
        self.context.remove(0)
        return said


class Answer:
    """What came for one order."""

    def __init__(self) -> None:
        self.text = ""
        self.logprobs: tuple[Logprob, ...] = ()
        self.end: Finished | None = None

    @property
    def said(self) -> list[int]:
        assert self.end is not None
        assert self.end.tokens is not None
        return list(self.end.tokens[self.end.prompt_tokens :])


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    LOG.attach(lambda level, line: None)
    lib.llama_backend_init()


@pytest.fixture(params=list(SHAPES.values()), ids=list(SHAPES))
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return cast(Path, request.param(tmp_path / "model.gguf"))


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    engine = Engine(path)
    yield engine
    engine.close()


def ask(prompt: str, count: int = LENGTH, **fields: Any) -> Generation:
    whole = {"sampling": GREEDY, "n_ctx": N_CTX, "want_tokens": True, **fields}
    return Generation(prompt=prompt, max_tokens=count, **whole)


def knowing(engine: Engine, orders: Sequence[Generation], answers: Sequence[list[int]]) -> Any:
    """Guesses by one who has heard the answers before."""
    lengths = [len(engine.model.tokenize_prompt(order.prompt)) for order in orders]

    def oracle(number: int, seen: Sequence[int]) -> int:
        said = len(seen) - lengths[number]
        return answers[number][said] if said < len(answers[number]) else 1

    return RandomDrafts(random.Random(7), oracle, engine.model.n_vocab)


def drafted(answers: Sequence[Answer]) -> tuple[int, int]:
    ends = [answer.end for answer in answers if answer.end is not None]
    return sum(end.drafted_tokens for end in ends), sum(end.accepted_tokens for end in ends)


def test_greedy_text_is_that_of_the_bare_engine(engine: Engine) -> None:
    orders = [ask(prompt) for prompt in PROMPTS]
    bare = [engine.greedy(prompt, LENGTH) for prompt in PROMPTS]
    for each, expected in zip(orders, bare, strict=True):
        drafts = knowing(engine, [each], [expected])
        (answer,) = engine.answers([each], drafts)
        assert answer.said == expected
    together = engine.answers(orders, knowing(engine, orders, bare))
    assert [answer.said for answer in together] == bare
    proposed, accepted = drafted(together)
    if engine.model.is_recurrent:
        assert proposed == 0
    else:
        assert LENGTH // 2 < accepted < proposed
    assert [answer.said for answer in engine.answers(orders)] == bare


def test_greedy_text_where_cells_run_short(path: Path) -> None:
    """Eight answers that fill four contexts have one: they give way to each other and go on."""
    engine = Engine(path, n_parallel=1)
    orders = [ask(prompt + tail, 60) for prompt in PROMPTS for tail in (" and", " so")]
    bare = [engine.greedy(order.prompt, 60) for order in orders]
    answers = engine.answers(orders, knowing(engine, orders, bare))
    assert [answer.said for answer in answers] == bare
    engine.close()


HOW: dict[str, dict[str, Any]] = {
    "seeded": {"sampling": Sampling(temperature=1.0, seed=11)},
    "penalised": {"sampling": Sampling(temperature=0, repeat_penalty=1.5, presence_penalty=0.5)},
    "penalised and seeded": {"sampling": Sampling(seed=3, temperature=1.2, repeat_penalty=1.3)},
    "held to a schema": {
        "format": '{"type":"object","properties":{"n":{"type":"string","maxLength":8}},'
        '"required":["n"],"additionalProperties":false}',
        "sampling": Sampling(temperature=1.0, seed=5),
    },
    "with a stop word": {"stop": (" the",)},
    "with log probabilities": {"top_logprobs": 2},
}


@pytest.mark.filterwarnings("ignore:llama_token_.* is deprecated")  # in llguidance
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_the_answer_is_the_same_without_guesses(engine: Engine, how: dict[str, Any]) -> None:
    orders = [ask(prompt, 32, **how) for prompt in PROMPTS]
    plain = engine.answers(orders)
    drafts = knowing(engine, orders, [answer.said for answer in plain])
    guessed = engine.answers(orders, drafts)
    for one, other in zip(plain, guessed, strict=True):
        assert (other.text, other.said) == (one.text, one.said)
        assert [each.token for each in other.logprobs] == [each.token for each in one.logprobs]
        values = [each.logprob for each in one.logprobs]
        assert [each.logprob for each in other.logprobs] == pytest.approx(values, abs=1e-3)
        assert one.end is not None
        assert other.end is not None
        assert other.end.reason == one.end.reason
    assert (drafted(guessed)[1] > 0) is not engine.model.is_recurrent


def test_a_text_that_repeats_itself_is_guessed_by_itself(tmp_path: Path) -> None:
    """The real thing, with its own idea of what pays: the text is the same in any case."""
    engine = Engine(make_tiny_llama(tmp_path / "model.gguf"))
    prompt = "Tom saw a big red ball and the happy dog ran home . " * 6
    orders = [ask(prompt, 80), ask(prompt + "Once", 80)]
    plain = engine.answers(orders)
    guessed = engine.answers(orders, Speculation())
    assert [answer.said for answer in guessed] == [answer.said for answer in plain]
    engine.close()
