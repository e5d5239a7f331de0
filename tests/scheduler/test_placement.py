"""Layers on cards (serving spec, 2.10 and 9, cases 34 to 44, by the engine's way of filling: the
output is the last layer and comes first).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.discover.hardware import Card
from puna.scheduler.memory import Estimate, LayerNeed
from puna.scheduler.placement import RESERVED, Wish, place

MIB = 1 << 20


def card(index: int, free: int, library: str = "CUDA", *, integrated: bool = False) -> Card:
    """A card with so many free MiB beside what is reserved."""
    size = free * MIB + RESERVED
    return Card(index, f"{library}{index}", library, size, size, integrated)


def model(*sizes: int, host: int = 0, graph: int = 0, tied: bool = False) -> Estimate:
    """A model with layers of so many MiB, the last of them the output."""
    layers = tuple(LayerNeed(size * MIB, 0) for size in sizes[:-1])
    return Estimate(layers, sizes[-1] * MIB, tied, host * MIB, graph * MIB)


CASES: dict[str, tuple[tuple[int, ...], list[Card], Wish, dict[int, int]]] = {
    "34 no card": ((50, 50, 50), [], Wish(), {}),
    "35 one card, room for all": ((50, 50, 50), [card(0, 256)], Wish(), {0: 3}),
    "36 one card, room for two": ((100,) * 4, [card(0, 256)], Wish(), {0: 2}),
    "37 one layer wanted": ((50, 50, 50), [card(0, 256)], Wish(n_layers=1), {0: 1}),
    "38 none wanted": ((50, 50, 50), [card(0, 256)], Wish(n_layers=0), {}),
    "38 all wanted whatever the memory": ((500,) * 3, [card(0, 256)], Wish(999), {0: 3}),
    "39 the larger card alone": ((50, 50, 50), [card(0, 128), card(1, 256)], Wish(), {1: 3}),
    "40 a large layer on the larger card": (
        (256, 50, 50),
        [card(0, 128), card(1, 256)],
        Wish(),
        {0: 2, 1: 1},
    ),
    "42 libraries are not mixed": (
        (128, 128, 50),
        [card(0, 128), card(1, 306, "ROCm")],
        Wish(),
        {1: 3},
    ),
    "44 memory of its own first": (
        (50, 50, 50),
        [card(0, 128), card(1, 256, integrated=True)],
        Wish(),
        {0: 2, 1: 1},
    ),
    "44 all with memory of its own": (
        (50, 50),
        [card(0, 128), card(1, 256, integrated=True)],
        Wish(),
        {0: 2},
    ),
    "all cards when spread is wanted": (
        (50,) * 4,
        [card(0, 256), card(1, 256)],
        Wish(spread=True),
        {0: 2, 1: 2},
    ),
    "one card when it is named": (
        (50,) * 4,
        [card(0, 100), card(1, 512)],
        Wish(main_gpu=0),
        {0: 2},
    ),
    "two cards for what one cannot hold, in proportion": (
        (50,) * 6,
        [card(0, 210), card(1, 410)],
        Wish(),
        {1: 6},
    ),
    "a share for each of two": ((50,) * 8, [card(0, 210), card(1, 310)], Wish(), {0: 3, 1: 5}),
    "what is to stay free stays free": (
        (50,) * 4,
        [card(0, 256)],
        Wish(overhead=106 * MIB),
        {0: 3},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_layers_go_where_there_is_room(case: str) -> None:
    sizes, cards, wish, split = CASES[case]
    assert place(model(*sizes), cards, wish).split == split


def test_the_rest_is_the_processors() -> None:
    placed = place(model(100, 100, 100, 50, host=30, graph=10), [card(0, 170)])
    assert placed.split == {0: 2}
    assert placed.on_cards == {0: 160 * MIB}
    assert placed.on_host == (30 + 200 + 10) * MIB
    assert not placed.is_full


def test_a_full_card_leaves_only_what_is_always_the_hosts() -> None:
    placed = place(model(100, 50, host=30, graph=10), [card(0, 1000)])
    assert placed.is_full
    assert placed.on_host == 30 * MIB


def test_without_cards_all_is_the_hosts() -> None:
    placed = place(model(100, 50, host=30, graph=10), [])
    assert placed.on_host == 190 * MIB
    assert place(model(100, 50, host=30, graph=10, tied=True), []).on_host == 140 * MIB


cards_drawn = st.lists(st.tuples(st.integers(0, 2000), st.booleans()), max_size=4)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), cards_drawn, st.booleans())
def test_no_card_gets_more_than_it_has(
    sizes: list[int], drawn: list[tuple[int, bool]], spread: bool
) -> None:
    cards = [card(i, free, integrated=kind) for i, (free, kind) in enumerate(drawn)]
    need = model(*sizes, graph=7)
    placed = place(need, cards, Wish(spread=spread))
    for index, used in placed.on_cards.items():
        assert used <= cards[index].free - RESERVED
    layers = sum(size * MIB for size in sizes)
    graphs = 7 * MIB * (len(placed.split) + (not placed.is_full))
    assert placed.total == layers + graphs
