"""Draft models on the real engine: the text is that of the bare engine, whoever guesses it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from puna.runner.cells import memory_of
from puna.runner.drafter import Drafter
from puna.runner.drafting import Drafting
from puna.runner.handle import ProcessEngine
from puna.runner.llama.library import LOG, lib
from puna.runner.protocol import Generation, LoadPlan, Sampling
from puna.runner.speculate import Speculation
from tests.fakes.ggufs import NORMAL_TYPE, Vocabulary, make_tiny_llama, make_vocabulary
from tests.fakes.shapes import make_tiny_hybrid, make_tiny_mamba, make_tiny_window
from tests.runner.test_drafts import LENGTH, PROMPTS, Engine, ask, drafted
from tests.runner.test_engine import answer, order, with_engine


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    LOG.attach(lambda level, line: None)
    lib.llama_backend_init()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("models") / "model.gguf")


DRAFTS: dict[str, Callable[[Path], Path]] = {
    "the same weights": make_tiny_llama,
    "other weights": lambda path: make_tiny_llama(path, seed=5),
    "another shape": make_tiny_window,
}


class Drafted:
    """Engines that guess for each other: everything takes the same time, guessing none."""

    def __init__(self, path: Path, draft: Path, *, n_parallel: int, draft_parallel: int) -> None:
        self.engine = Engine(path, n_parallel=n_parallel)
        self.small = Engine(draft, n_parallel=draft_parallel)

    def answers(self, orders: list[Generation], *, guessing: bool = True) -> Any:
        ticks = count(1)
        model = self.small.model
        drafter = Drafter(model, self.small.context, memory_of(model), lambda: 0)
        speculation = Speculation(Drafting(drafter)) if guessing else None
        answers = self.engine.answers(orders, speculation, lambda: next(ticks) * 1000)
        while drafter._cells.drop_one():
            pass
        assert drafter._cells.used == 0
        return answers

    def close(self) -> None:
        self.engine.close()
        self.small.close()


@pytest.fixture(params=list(DRAFTS.values()), ids=list(DRAFTS))
def draft(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made: Path = request.param(tmp_path / "draft.gguf")
    return made


@pytest.fixture
def pair(path: Path, draft: Path) -> Iterator[Drafted]:
    pair = Drafted(path, draft, n_parallel=4, draft_parallel=4)
    yield pair
    pair.close()


def test_greedy_text_is_that_of_the_bare_engine(pair: Drafted) -> None:
    orders = [ask(prompt) for prompt in PROMPTS]
    bare = [pair.engine.greedy(prompt, LENGTH) for prompt in PROMPTS]
    alone = [pair.answers([each])[0].said for each in orders]
    assert alone == bare
    together = pair.answers(orders)
    assert [answer.said for answer in together] == bare
    assert drafted(together)[0] > 0


def test_the_same_weights_are_always_right(path: Path) -> None:
    same = Drafted(path, path, n_parallel=4, draft_parallel=4)
    proposed, accepted = drafted(same.answers([ask(prompt, 120) for prompt in PROMPTS]))
    assert accepted > 0.95 * proposed > 200
    same.close()


@pytest.mark.parametrize("draft_parallel", [1, 2])
def test_greedy_text_where_cells_run_short(path: Path, draft: Path, draft_parallel: int) -> None:
    """Eight answers that fill four contexts have one, and the draft model's cells no more."""
    pair = Drafted(path, draft, n_parallel=1, draft_parallel=draft_parallel)
    orders = [ask(prompt + tail, 60) for prompt in PROMPTS for tail in (" and", " so")]
    bare = [pair.engine.greedy(each.prompt, 60) for each in orders]
    assert [answer.said for answer in pair.answers(orders)] == bare
    pair.close()


def test_a_context_that_is_full_goes_on(pair: Drafted) -> None:
    """Shifting moves what was said: the draft model reads it anew."""
    orders = [ask(prompt, 300) for prompt in PROMPTS[:2]]
    plain = pair.answers(orders, guessing=False)
    guessed = pair.answers(orders)
    for one, other in zip(plain, guessed, strict=True):
        assert other.end.truncated
        assert len(other.said) == len(one.said) == 300
        assert other.said[:200] == one.said[:200]


HOW: dict[str, dict[str, Any]] = {
    "seeded": {"sampling": Sampling(temperature=1.0, seed=11)},
    "penalised": {"sampling": Sampling(seed=3, temperature=1.2, repeat_penalty=1.3)},
    "held to a pattern": {"regex": "( [a-z]{1,6}){40}"},
    "with a stop word": {"stop": (" the",)},
}


@pytest.mark.filterwarnings("ignore:llama_token_.* is deprecated")  # in llguidance
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_the_answer_is_the_same_without(pair: Drafted, how: dict[str, Any]) -> None:
    orders = [ask(prompt, **how) for prompt in PROMPTS]
    plain, guessed = pair.answers(orders, guessing=False), pair.answers(orders)
    assert [each.said for each in guessed] == [each.said for each in plain]
    assert [each.text for each in guessed] == [each.text for each in plain]
    assert [each.end.reason for each in guessed] == [each.end.reason for each in plain]


def vocabulary(**changes: Any) -> Vocabulary:
    return dataclasses.replace(make_vocabulary(), **changes)


def fewer() -> Vocabulary:
    whole = make_vocabulary()
    return Vocabulary(whole.tokens[:-1], whole.scores[:-1], whole.types[:-1], whole.biases[:-1])


def other_text() -> Vocabulary:
    tokens = make_vocabulary().tokens
    return vocabulary(tokens=[*tokens[:-2], tokens[-1], tokens[-2]])


def other_kind() -> Vocabulary:
    types = list(make_vocabulary().types)
    types[1] = NORMAL_TYPE
    return vocabulary(types=types)


def broken(path: Path) -> Path:
    path.write_bytes(b"GGUF" + b"\0" * 100)
    return path


def cut_short(path: Path) -> Path:
    whole = make_tiny_llama(path).read_bytes()
    path.write_bytes(whole[:-4096])
    return path


UNFIT: dict[str, tuple[Callable[[Path], Path], str]] = {
    "fewer tokens": (
        lambda path: make_tiny_llama(path, vocabulary=fewer()),
        "its vocabulary is not the model's: ",
    ),
    "another word": (
        lambda path: make_tiny_llama(path, vocabulary=other_text()),
        "another text of token",
    ),
    "another kind of token": (
        lambda path: make_tiny_llama(path, vocabulary=other_kind()),
        "another kind of token 1",
    ),
    "a state": (make_tiny_mamba, "it keeps a state"),
    "attention and states": (make_tiny_hybrid, "it keeps a state"),
    "larger": (lambda path: make_tiny_window(path), "it is larger than the model"),
    "damaged": (broken, "failed to load model"),
    "cut short": (cut_short, "failed to load model"),
    "lost": (lambda path: path, "No such file"),
}


def texts_of(plan: LoadPlan, caplog: pytest.LogCaptureFixture) -> tuple[list[str], int, str]:
    """What a runner of this plan says, the bytes that it takes, and its log."""
    texts: list[str] = []
    sizes: list[int] = []

    async def use(engine: ProcessEngine) -> None:
        sizes.append(engine.info.size)
        orders = [order(prompt, 40) for prompt in PROMPTS]
        texts.extend([(await answer(engine, each))[0] for each in orders])
        texts.extend(
            [text for text, _ in await asyncio.gather(*(answer(engine, o) for o in orders))]
        )

    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        with_engine(plan, use)
    return texts, sizes[0], caplog.text


def plan_of(model: Path, draft: Path | None) -> LoadPlan:
    return LoadPlan(
        model=str(model),
        draft="" if draft is None else str(draft),
        n_ctx=512,
        n_parallel=4,
        kv_type="f32",
        flash_attention=False,
    )


@pytest.mark.parametrize(("make", "reason"), UNFIT.values(), ids=UNFIT)
def test_a_model_is_loaded_without_a_draft_model_that_does_not_fit(
    path: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path], Path],
    reason: str,
) -> None:
    target = path
    if reason == "it keeps a state":  # it is smaller than nothing else here
        target = make_tiny_window(tmp_path / "large.gguf")
    texts, size, log = texts_of(plan_of(target, make(tmp_path / "draft.gguf")), caplog)
    plain, plain_size, _ = texts_of(plan_of(target, None), caplog)
    assert texts == plain
    assert size == plain_size
    assert "the draft model draft.gguf is not used: " in log
    assert reason in log


def test_a_model_with_a_state_takes_no_guesses(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of(make_tiny_mamba(tmp_path / "mamba.gguf"), path)
    _, _, log = texts_of(plan, caplog)
    assert "is not used: the model keeps a state" in log


def test_a_draft_model_that_fits(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draft = make_tiny_llama(tmp_path / "draft.gguf", seed=4)
    texts, size, log = texts_of(plan_of(path, draft), caplog)
    plain, plain_size, _ = texts_of(plan_of(path, None), caplog)
    assert texts == plain
    assert size > plain_size + draft.stat().st_size // 2
    assert "guessing tokens with the draft model draft.gguf" in log
