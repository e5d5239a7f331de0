"""Each stage of the sampler keeps exactly the tokens, with the chances, that its definition says.

The oracle is the serving spec, section 7.1, in numpy; the logits are chosen by the test.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from puna.errors import BadRequest
from puna.runner.handle import ProcessEngine
from puna.runner.llama.logprobs import logprob_of
from puna.runner.protocol import LoadPlan, Piece, Sampling
from tests.fakes.ggufs import make_tiny_llama
from tests.runner.raw import RawEngine
from tests.runner.test_engine import order, with_engine

DRAWS = 3000
LIKELY = 12
"""Tokens with a chance; the others have practically none."""

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def engine(path: Path) -> Iterator[RawEngine]:
    engine = RawEngine(path)
    engine.logits([1])
    yield engine
    engine.close()


def chosen(engine: RawEngine) -> npt.NDArray[np.float32]:
    """Logits 3, 2.6, 2.2, ... for tokens 300, 301, ..."""
    logits = np.full(engine.model.n_vocab, -40, np.float32)
    logits[300 : 300 + LIKELY] = 3 - 0.4 * np.arange(LIKELY)
    return logits


def softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max())
    return np.asarray(odds / odds.sum())


def by_rank(keep: npt.NDArray[np.bool_], logits: Floats) -> Floats:
    """Logits without those not kept; `keep` is in the order of falling logits."""
    order = np.argsort(-logits, kind="stable")
    out = np.full_like(logits, -np.inf)
    out[order[keep]] = logits[order[keep]]
    return out


def top_p(logits: Floats, p: float) -> Floats:
    chances = np.sort(softmax(logits))[::-1]
    return by_rank(np.concatenate([[True], np.cumsum(chances)[:-1] < p]), logits)


def typical(logits: Floats, p: float) -> Floats:
    chances = softmax(logits)
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = -np.log(chances)
        entropy = np.nansum(chances * surprise)
    order = np.argsort(np.abs(surprise - entropy), kind="stable")
    enough = int(np.argmax(np.cumsum(chances[order]) > p)) + 1
    out = np.full_like(logits, -np.inf)
    out[order[:enough]] = logits[order[:enough]]
    return out


def expected(sampling: Sampling, logits: Floats) -> Floats:
    """The chance of each token, by the definitions."""
    if sampling.top_k > 0:
        logits = by_rank(np.arange(len(logits)) < sampling.top_k, logits)
    if sampling.typical_p < 1:
        logits = typical(logits, sampling.typical_p)
    if sampling.top_p < 1:
        logits = top_p(logits, sampling.top_p)
    if sampling.min_p > 0:
        logits = np.where(logits >= logits.max() + math.log(sampling.min_p), logits, -np.inf)
    return softmax(logits / sampling.temperature)


OFF: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0}
STAGES: dict[str, dict[str, Any]] = {
    "temperature alone": {},
    "cold": {"temperature": 0.3},
    "top_k": {"top_k": 4},
    "top_k of more than there are": {"top_k": 10_000},
    "top_p": {"top_p": 0.7},
    "top_p before temperature": {"top_p": 0.7, "temperature": 3.0},
    "min_p": {"min_p": 0.2},
    "min_p before temperature": {"min_p": 0.2, "temperature": 3.0},
    "typical_p": {"typical_p": 0.5},
    "typical_p before top_p": {"typical_p": 0.8, "top_p": 0.6},
    "all of them": {"top_k": 8, "typical_p": 0.95, "top_p": 0.9, "min_p": 0.05},
}


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_tokens_come_with_their_chances(engine: RawEngine, stages: dict[str, Any]) -> None:
    sampling = Sampling(**{"temperature": 1.0, "seed": 1, **OFF, **stages})
    logits = chosen(engine)
    sampler = engine.sampler(sampling)
    drawn = Counter(engine.draw(sampler, logits) for _ in range(DRAWS))
    sampler.close()
    chances = expected(sampling, logits.astype(np.float64))
    assert set(drawn) <= set(np.flatnonzero(chances > 0))
    for token in np.flatnonzero(chances > 0.002).tolist():
        deviation = math.sqrt(chances[token] * (1 - chances[token]) / DRAWS)
        assert abs(drawn[token] / DRAWS - chances[token]) <= 5 * deviation + 1e-9, token


PENALTIES = {
    "repeat divides what is likely and multiplies what is not": (
        {"repeat_penalty": 2.0},
        lambda logit, count: logit / 2 if logit > 0 else logit * 2,
    ),
    "presence counts once": ({"presence_penalty": 0.7}, lambda logit, count: logit - 0.7),
    "frequency counts each": (
        {"frequency_penalty": 0.3},
        lambda logit, count: logit - 0.3 * count,
    ),
    "repeat comes before the others": (
        {"repeat_penalty": 2.0, "presence_penalty": 0.5, "frequency_penalty": 0.1},
        lambda logit, count: (logit / 2 if logit > 0 else logit * 2) - 0.5 - 0.1 * count,
    ),
}


@pytest.mark.parametrize(("fields", "changed"), PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("logit", [2.0, -2.0])
def test_penalties_change_a_logit_by_so_much(
    engine: RawEngine, fields: dict[str, Any], changed: object, logit: float
) -> None:
    """A rival just below the changed logit loses to it, one just above wins."""
    assert callable(changed)
    for offset, wins in ((-1e-3, False), (1e-3, True)):
        sampler = engine.sampler(Sampling(temperature=0, repeat_last_n=8, **fields))
        sampler.remember([310, 310, 310])
        logits = np.full(engine.model.n_vocab, -40, np.float32)
        logits[310] = logit
        logits[320] = changed(logit, 3) + offset
        assert (engine.draw(sampler, logits) == 320) is wins
        sampler.close()


WINDOWS = {
    "of two": (2, False),
    "of three": (3, True),
    "off": (0, False),
    "the context": (-1, True),
}


@pytest.mark.parametrize(("last_n", "remembers"), WINDOWS.values(), ids=WINDOWS)
def test_penalties_look_back_so_far(engine: RawEngine, last_n: int, *, remembers: bool) -> None:
    sampler = engine.sampler(Sampling(temperature=0, repeat_last_n=last_n, presence_penalty=2.0))
    sampler.remember([300, 400, 401])
    assert (engine.draw(sampler, chosen(engine)) != 300) is remembers
    sampler.close()


def test_mirostat_1_is_its_definition(engine: RawEngine) -> None:
    """How many tokens are kept follows from a fit and moves with what was drawn."""
    logits = np.full(engine.model.n_vocab, -40, np.float32)
    logits[259:459] = -1.2 * np.log(np.arange(1, 201))  # as words are spread
    chances = np.sort(softmax(logits.astype(np.float64)))[::-1]
    ranks = np.arange(99)
    steps = np.log((ranks + 2) / (ranks + 1))
    slope = float((steps * np.log(chances[:99] / chances[1:100])).sum() / (steps**2).sum())
    excess = slope - 1
    tau, eta = 3.0, 0.5
    bound = 2 * tau
    sampling = Sampling(temperature=1, mirostat=1, mirostat_tau=tau, mirostat_eta=eta, seed=3)
    sampler = engine.sampler(sampling)
    seen = set()
    for _ in range(300):
        spread = excess * 2**bound / (1 - engine.model.n_vocab**-excess)
        kept = max(int(spread ** (1 / slope)), 1)
        rank = engine.draw(sampler, logits) - 259
        assert rank <= kept  # one more: the engine rounds in 32 bits
        seen.add(kept)
        bound -= eta * (-math.log2(chances[rank] / chances[:kept].sum()) - tau)
    assert len(seen) > 10
    sampler.close()


def test_mirostat_2_is_its_definition(engine: RawEngine) -> None:
    """The bound on surprise moves with what was drawn; nothing beyond it is ever drawn."""
    logits = chosen(engine)
    chances = softmax(logits.astype(np.float64))
    tau, eta = 1.5, 0.3
    bound = 2 * tau
    sampler = engine.sampler(
        Sampling(temperature=1, mirostat=2, mirostat_tau=tau, mirostat_eta=eta, seed=3)
    )
    seen = set()
    for _ in range(400):
        kept = -np.log2(chances) <= bound
        kept[300] = True
        token = engine.draw(sampler, logits)
        assert kept[token]
        seen.add(int(kept.sum()))
        bound -= eta * (-math.log2(chances[token] / chances[kept].sum()) - tau)
    assert len(seen) > 2
    sampler.close()


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_leaves_the_other_stages_out(engine: RawEngine, version: int) -> None:
    texts = []
    others: dict[str, Any] = {"top_k": 1, "top_p": 0.1, "min_p": 1.0, "presence_penalty": 9.0}
    for fields in ({}, others):
        sampler = engine.sampler(Sampling(temperature=1, mirostat=version, seed=5, **fields))
        sampler.remember([300])
        texts.append([engine.draw(sampler, chosen(engine)) for _ in range(50)])
        sampler.close()
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1


WITH_LOGARITHMS = {
    "mirostat 1": Sampling(temperature=1, mirostat=1, seed=5),
    "mirostat 2": Sampling(temperature=1, mirostat=2, seed=5),
    "typical_p": Sampling(temperature=1, seed=5, **{**OFF, "typical_p": 0.95}),
}


@pytest.mark.parametrize("sampling", WITH_LOGARITHMS.values(), ids=WITH_LOGARITHMS)
def test_stages_bear_tokens_without_any_chance(engine: RawEngine, sampling: Sampling) -> None:
    logits = np.full(engine.model.n_vocab, -np.inf, np.float32)
    logits[300:304] = [1.0, 0.9, 0.8, 0.7]
    sampler = engine.sampler(sampling)
    assert {engine.draw(sampler, logits) for _ in range(300)} == {300, 301, 302, 303}
    sampler.close()


def test_cold_mirostat_is_greedy(engine: RawEngine) -> None:
    sampler = engine.sampler(Sampling(temperature=0, mirostat=2, seed=5))
    assert {engine.draw(sampler, chosen(engine)) for _ in range(20)} == {300}
    sampler.close()


BIASES: dict[str, tuple[tuple[tuple[int | str, float], ...], int]] = {
    "none": ((), 300),
    "forbidden": (((300, -100.0),), 301),
    "weakened": (((300, -0.5),), 301),
    "not enough": (((300, -0.3),), 300),
    "lifted": (((305, 3.0),), 305),
    "all are forbidden but one": (tuple((300 + n, -100.0) for n in range(LIKELY - 1)), 311),
    "given twice": (((305, 1.5), (305, 1.5)), 305),
}


@pytest.mark.parametrize(("biases", "winner"), BIASES.values(), ids=BIASES)
def test_biases_are_added(
    engine: RawEngine, biases: tuple[tuple[int | str, float], ...], winner: int
) -> None:
    sampler = engine.sampler(Sampling(temperature=0, logit_bias=biases))
    assert engine.draw(sampler, chosen(engine)) == winner
    sampler.close()


def test_a_text_means_its_tokens(engine: RawEngine) -> None:
    tokens = engine.model.tokenize("the dog", add_special=False, parse_special=False)
    assert len(tokens) > 1
    logits = np.full(engine.model.n_vocab, -40, np.float32)
    logits[tokens] = 5
    logits[300] = 1
    assert 300 not in tokens
    sampler = engine.sampler(Sampling(temperature=0, logit_bias=(("the dog", -100.0),)))
    assert engine.draw(sampler, logits) == 300
    sampler.close()


def test_a_forbidden_token_is_never_drawn_hot(engine: RawEngine) -> None:
    sampling = Sampling(temperature=100.0, seed=2, logit_bias=((300, -100.0),), **OFF)
    sampler = engine.sampler(sampling)
    assert 300 not in {engine.draw(sampler, chosen(engine)) for _ in range(DRAWS)}
    sampler.close()


REFUSED = {
    "a token beyond the vocabulary": Sampling(logit_bias=((10**6, 1.0),)),
    "mirostat 3": Sampling(mirostat=3),
    "mirostat -1": Sampling(mirostat=-1),
    "an endless tau": Sampling(mirostat=2, mirostat_tau=math.inf),
}


@pytest.mark.parametrize("sampling", REFUSED.values(), ids=REFUSED)
def test_values_without_a_meaning_are_refused(engine: RawEngine, sampling: Sampling) -> None:
    with pytest.raises(BadRequest):
        engine.sampler(sampling)


def test_log_probabilities_are_the_engine_s_own(engine: RawEngine) -> None:
    """Before bias, penalties and temperature, as a child process tells them."""
    tokens = engine.model.tokenize("Once upon a time", add_special=True, parse_special=True)
    logits = engine.logits(tokens).astype(np.float64)
    raw = np.log(softmax(logits))
    for token in (int(raw.argmax()), 300):
        told = logprob_of(engine.model, logits.astype(np.float32), token, 20)
        assert told.logprob == pytest.approx(raw[token], abs=1e-3)
        likeliest = np.argsort(-raw, kind="stable")[:20]
        assert [each.logprob for each in told.top_logprobs] == pytest.approx(
            raw[likeliest], abs=1e-3
        )
        assert [bytes(each.bytes) for each in told.top_logprobs] == [
            engine.model.piece(int(each)) for each in likeliest
        ]


def test_a_child_tells_the_same_log_probabilities(engine: RawEngine, path: Path) -> None:
    tokens = engine.model.tokenize("Once upon a time", add_special=True, parse_special=True)
    raw = np.log(softmax(engine.logits(tokens).astype(np.float64)))
    hot = Sampling(temperature=2.0, seed=1, repeat_penalty=1.5, logit_bias=((300, 5.0),))

    async def use(child: ProcessEngine) -> None:
        asked = order("Once upon a time", 1, sampling=hot, top_logprobs=20)
        async with child.generate(asked) as events:
            pieces = [event async for event in events if isinstance(event, Piece)]
        told = [each.logprob for each in pieces[0].logprobs[0].top_logprobs]
        assert told == pytest.approx(np.sort(raw)[::-1][:20], abs=1e-3)

    with_engine(LoadPlan(model=str(path), n_ctx=256, kv_type="f32", flash_attention=False), use)
