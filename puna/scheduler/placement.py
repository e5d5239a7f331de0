"""Which layers go to which device. Pure.

A load goes to one card if one can hold it, else to as few as can, else in part to cards and for
the rest to the processor; cards of different libraries never share a model (serving spec, 2.10).
The engine fills cards with the last layers first, of which the output is the very last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from puna.discover.hardware import METAL, Card
from puna.scheduler.memory import Estimate

__all__ = ["RESERVED", "Placement", "Wish", "place", "placement_of"]

MIB = 1 << 20
RESERVED = 457 * MIB
"""Bytes that a card keeps for its driver and what the engine allocates beside its buffers."""
_METAL_RESERVED = 512 * MIB


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request or a setting says about where layers go.

    `n_layers` -1 is as many as fit, else exactly so many, as far as there is room. `main_gpu`
    names one card, which then has all of them. With `spread` all cards of a library are used.
    `overhead` bytes stay free on every card.
    """

    n_layers: int = -1
    main_gpu: int | None = None
    spread: bool = False
    overhead: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """How many layers each card gets, by the card's index, and the bytes that this takes.

    The first card of `split` gets the first of the layers that are on cards, and so on; the output
    counts as the last layer. `is_full`: nothing is left to the processor but what always is. Of
    `on_host`, `later` bytes are not allocated at the load.
    """

    split: dict[int, int]
    on_cards: dict[int, int]
    on_host: int
    is_full: bool
    later: int = 0

    @property
    def n_layers(self) -> int:
        """Layers on cards."""
        return sum(self.split.values())

    @property
    def total(self) -> int:
        """Bytes on all devices."""
        return self.on_host + sum(self.on_cards.values())


def place(need: Estimate, cards: Sequence[Card], wish: Wish | None = None) -> Placement:
    """The best placement. Whether the host has room for what is left to it is not asked here."""
    wish = wish or Wish()
    sizes = _sizes(need)
    if wish.n_layers == 0 or not cards:
        return placement_of(need, {})
    if wish.main_gpu is not None:
        cards = [card for card in cards if card.index == wish.main_gpu] or cards
    found: list[dict[int, int]] = []
    by_library = sorted(cards, key=lambda card: card.library)
    for _, group in groupby(by_library, key=lambda card: card.library):
        rooms = sorted(
            (_Room(card, _room(card, need, wish)) for card in group),
            key=lambda room: (room.card.is_integrated, -room.bytes_, room.card.index),
        )
        found.append(_split(sizes, rooms, wish))
    best = max(found, key=lambda split: sum(split.values()))
    return placement_of(need, dict(reversed(best.items())))


def placement_of(need: Estimate, split: Mapping[int, int]) -> Placement:
    """What so many layers on each card take; the first card gets the first of them."""
    if not sum(split.values()):
        on_host = need.on_host + need.later
        return Placement({}, {}, on_host, is_full=False, later=need.later)
    sizes = _sizes(need)
    start = first = len(sizes) - sum(split.values())
    on_cards: dict[int, int] = {}
    for index, count in split.items():
        on_cards[index] = sum(sizes[start : start + count]) + need.graph
        start += count
    on_cards[next(iter(split))] += need.extra
    on_host = need.host + sum(sizes[:first]) + (need.graph if first else 0)
    return Placement(dict(split), on_cards, on_host, is_full=not first)


def _sizes(need: Estimate) -> list[int]:
    """Bytes of what is placed: the layers, and the output as the last."""
    return [layer.total for layer in need.layers] + [need.head]


@dataclass(frozen=True, slots=True)
class _Room:
    """A card and the bytes of layers that it has room for."""

    card: Card
    bytes_: int


def _room(card: Card, need: Estimate, wish: Wish) -> int:
    reserved = _METAL_RESERVED if card.library == METAL else RESERVED
    return max(0, card.free - reserved - wish.overhead - need.graph - need.extra)


def _split(sizes: Sequence[int], rooms: Sequence[_Room], wish: Wish) -> dict[int, int]:
    """Layers by card, for the cards of one library, the best first."""
    wanted = len(sizes) if wish.n_layers < 0 else min(wish.n_layers, len(sizes))
    split: dict[int, int] = {}
    first = len(rooms) if wish.spread else 1
    for count in range(first, len(rooms) + 1):
        is_last = count == len(rooms)
        split = _best_fit(sizes, rooms[:count], wanted, forced=is_last and wish.n_layers >= 0)
        if sum(split.values()) == wanted:
            break
    return split


def _best_fit(
    sizes: Sequence[int], rooms: Sequence[_Room], wanted: int, *, forced: bool
) -> dict[int, int]:
    """As many layers as fit on these cards, those with memory of their own first.

    Of cards of one kind each gets its share: the capacity is lowered as far as it still holds as
    many. `forced`: the wanted number is placed whatever the rooms say, in their proportion.
    """
    split: dict[int, int] = {}
    left = list(sizes)
    for _, group in groupby(rooms, key=lambda room: room.card.is_integrated):
        kind = list(group)
        open_ = wanted - sum(split.values())
        most = _fill(left, kind, open_, 1000.0 if forced else 1.0)
        low, high = 0.0, 1000.0 if forced else 1.0
        best = most
        while high - low > 1e-6 * max(1.0, high):
            middle = (low + high) / 2
            tried = _fill(left, kind, open_, middle)
            if sum(tried.values()) == sum(most.values()):
                best, high = tried, middle
            else:
                low = middle
        split |= best
        left = left[: len(left) - sum(best.values())]
    return split


def _fill(
    sizes: Sequence[int], rooms: Sequence[_Room], wanted: int, capacity: float
) -> dict[int, int]:
    """Fill from the last layer and the last card towards the first."""
    split: dict[int, int] = {}
    cards = iter(reversed(rooms))
    room = next(cards, None)
    free = room.bytes_ * capacity if room else 0.0
    for size in reversed(sizes[len(sizes) - wanted :] if wanted else ()):
        while room is not None and size > free:
            room = next(cards, None)
            free = room.bytes_ * capacity if room else 0.0
        if room is None:
            break
        split[room.card.index] = split.get(room.card.index, 0) + 1
        free -= size
    return split
