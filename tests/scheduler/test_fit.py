"""What fits into a machine, and as what."""

from __future__ import annotations

import re

import pytest

from puna.discover.hardware import Free
from puna.gguf.footprint import Footprint, LayerShape
from puna.runner.protocol import LoadPlan
from puna.scheduler.fit import Loads, Rules, Use, default_context, fit, given_back, refusal, use_of
from tests.fakes.machines import GIB, MIB, a_card, machine


def model(weights: int = 4 * GIB, layers: int = 32, width: int = 1024) -> Footprint:
    """A model of so many bytes; a token keeps `width` elements for keys and as many for values."""
    shape = LayerShape(weights // (layers + 1), width, width)
    return Footprint(
        layers=(shape,) * layers,
        other=0,
        output=weights // (layers + 1),
        is_tied=False,
        n_vocab=32_000,
        n_embd=4096,
        n_ff=11_008,
        n_head=32,
        query=4096,
        query_plain=4096,
        n_masks=1,
        n_expert=0,
        n_expert_used=0,
        n_ff_expert=0,
        inner=0,
        n_ctx_train=131_072,
    )


AUTO = LoadPlan(model="m", n_ctx=4096, n_ctx_auto=True, n_parallel=0)


def found(
    plan: LoadPlan, free: Free, loads: Loads | None = None, rules: Rules | None = None
) -> LoadPlan:
    fitted = fit(model(), plan, free, loads or Loads(), rules or Rules())
    assert fitted is not None
    return fitted.plan


@pytest.mark.parametrize(
    ("total", "context"),
    [(0, 4096), (22, 4096), (24, 32_768), (46, 32_768), (48, 262_144), (140, 262_144)],
)
def test_the_default_context_follows_the_cards(total: int, context: int) -> None:
    cards = [a_card(0, total * GIB)] if total else []
    assert default_context(machine(64 * GIB, *cards), Rules()) == context


def test_a_setting_is_the_default_context() -> None:
    free = machine(64 * GIB, a_card(0, 80 * GIB))
    assert default_context(free, Rules(context=8192)) == 8192
    assert found(AUTO, free, rules=Rules(context=4096)).n_ctx == 4096


def test_a_large_pool_where_there_is_room() -> None:
    plan = found(AUTO, machine(64 * GIB))
    assert (plan.n_ctx, plan.n_parallel) == (4096, 4)


def test_a_pool_takes_only_its_share_of_what_is_left() -> None:
    assert found(AUTO, machine(8 * GIB)).n_parallel == 1


def test_a_setting_is_the_most_contexts() -> None:
    plan = LoadPlan(model="m", n_ctx=4096, n_parallel=8)
    assert found(plan, machine(64 * GIB)).n_parallel == 8
    assert found(plan, machine(7 * GIB)).n_parallel < 8


def test_a_context_that_was_asked_for_is_never_less() -> None:
    plan = LoadPlan(model="m", n_ctx=100_000, n_parallel=0)
    assert fit(model(), plan, machine(8 * GIB), Loads(), Rules()) is None
    assert found(plan, machine(64 * GIB)).n_ctx == 100_000


def test_one_card_that_has_room_for_all() -> None:
    free = machine(64 * GIB, a_card(0, 8 * GIB), a_card(1, 24 * GIB))
    plan = found(AUTO, free)
    assert plan.cards == (1,)
    assert plan.n_gpu_layers == 33


def test_a_smaller_default_context_rather_than_layers_on_the_processor() -> None:
    free = machine(64 * GIB, a_card(0, 24 * GIB, 7 * GIB))
    plan = found(AUTO, free)
    assert plan.n_gpu_layers == 33
    assert plan.n_ctx == 4096


def test_layers_that_fit_nowhere_else_are_the_processors() -> None:
    plan = found(AUTO, machine(64 * GIB, a_card(0, 3 * GIB)))
    assert 0 < plan.n_gpu_layers < 33
    assert plan.n_parallel == 1


def test_layers_that_were_asked_for_are_kept_to() -> None:
    free = machine(64 * GIB, a_card(0, 24 * GIB))
    asked = LoadPlan(model="m", n_gpu_layers=7)
    assert found(asked, free).n_gpu_layers == 7
    none = LoadPlan(model="m", n_gpu_layers=0)
    assert found(none, free).cards == ()


def test_what_is_loaded_beside_takes_its_part() -> None:
    free = machine(16 * GIB)
    mapped = Loads(all=(Use(host=12 * GIB),))
    assert fit(model(), AUTO, free, mapped, Rules()) is None, "mapped files look free, and are not"
    loading = Loads(all=(Use(host=4 * GIB),), unseen=(Use(host=4 * GIB),))
    available = machine(64 * GIB, available=8 * GIB)
    assert fit(model(), AUTO, available, loading, Rules()) is None


def test_an_integrated_card_has_no_more_than_the_machine() -> None:
    card = a_card(0, 32 * GIB, integrated=True)
    assert found(AUTO, machine(64 * GIB, card)).n_gpu_layers == 33
    assert found(AUTO, machine(64 * GIB, card, available=5 * GIB)).n_gpu_layers < 33


def test_memory_that_is_not_known_refuses_nothing() -> None:
    assert found(AUTO, Free(None)).n_ctx == 4096


def test_given_back_is_never_more_than_there_is() -> None:
    free = machine(8 * GIB, a_card(0, 8 * GIB, 1 * GIB), available=7 * GIB)
    after = given_back(free, [Use(4 * GIB, {0: 3 * GIB})])
    assert after.host is not None
    assert after.host.available == 8 * GIB
    assert after.cards[0].free == 4 * GIB


def test_a_refusal_has_the_figures() -> None:
    text = refusal(model(), LoadPlan(model="m"), machine(2 * GIB), Rules())
    assert text.startswith("model requires more system memory (")
    assert text.endswith("GiB) than is available (2.0 GiB)")


def test_a_correction_counts() -> None:
    free = machine(64 * GIB, available=int(5.2 * GIB))
    plan = LoadPlan(model="m", n_ctx=1024)
    assert fit(model(), plan, free, Loads(), Rules()) is not None
    assert fit(model(), plan, free, Loads(), Rules(), scale=1.2) is None
    assert model().weights > 4 * GIB - MIB


def test_a_correction_counts_on_cards() -> None:
    free = machine(64 * GIB, a_card(0, 6 * GIB))
    plan = LoadPlan(model="m", n_ctx=1024)
    whole = fit(model(), plan, free, Loads(), Rules())
    part = fit(model(), plan, free, Loads(), Rules(), scale=1.4)
    assert whole is not None
    assert part is not None
    assert part.n_layers < whole.n_layers == 33


def test_a_refusal_has_the_corrected_figures() -> None:
    plan, free = LoadPlan(model="m", n_ctx=1024), machine(64 * GIB, available=int(5.2 * GIB))
    need, available = re.findall(
        r"\(([\d.]+) GiB\)", refusal(model(), plan, free, Rules(), scale=1.2)
    )
    assert float(need) > float(available)


@pytest.mark.parametrize("cards", [1, 2])
def test_a_plan_takes_what_it_was_placed_as(cards: int) -> None:
    free = machine(64 * GIB, *(a_card(index, 4 * GIB) for index in range(cards)))
    fitted = fit(model(), AUTO, free, Loads(), Rules())
    assert fitted is not None
    assert use_of(model(), fitted.plan) == fitted.use
