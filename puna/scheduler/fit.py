"""Whether a model fits into what memory there is, and as what: how large a pool, which layers on
which card. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replace_plan

from puna.discover.hardware import Card, Free
from puna.fmt import human_bytes_binary
from puna.gguf.footprint import Footprint
from puna.runner.protocol import LoadPlan
from puna.scheduler.memory import Estimate, estimate
from puna.scheduler.placement import Placement, Wish, place, placement_of

__all__ = [
    "Fitted",
    "Loads",
    "Rules",
    "Use",
    "default_context",
    "fit",
    "given_back",
    "refusal",
    "smaller_contexts",
    "use_of",
]

GIB = 1 << 30
_TIERS = ((47 * GIB, 262_144), (23 * GIB, 32_768), (0, 4096))
"""Default contexts by the memory of all cards (serving spec, section 1)."""
_CONTEXTS = 4  # the most full contexts that a pool holds unless a setting says otherwise
_POOL_SHARE = 4  # a pool is made larger than one context for at most this part of what is free


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that decide how a model is loaded.

    `context` is the context of models whose requests name none; 0: by the cards' memory.
    """

    context: int = 0
    spread: bool = False
    overhead: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """Bytes that a load takes, of the machine's memory and of each card's, by its index.

    Of `host`, `later` bytes are not allocated before they are needed.
    """

    host: int = 0
    cards: dict[int, int] = field(default_factory=dict)
    later: int = 0

    @property
    def total(self) -> int:
        """Bytes on all devices."""
        return self.host + sum(self.cards.values())


@dataclass(frozen=True, slots=True)
class Fitted:
    """The plan as it can be loaded, what it will take, and how many layers cards get."""

    plan: LoadPlan
    use: Use
    n_layers: int = 0

    def is_as_good_as(self, other: Fitted) -> bool:
        """Whether cards get as many layers, and requests as long a context."""
        return self.n_layers >= other.n_layers and self.plan.n_ctx >= other.plan.n_ctx


@dataclass(frozen=True, slots=True)
class Loads:
    """What is loaded beside: `all` of it, and what of it the measurement has not seen yet."""

    all: tuple[Use, ...] = ()
    unseen: tuple[Use, ...] = ()


def given_back(free: Free, uses: Iterable[Use]) -> Free:
    """What would be free when these were gone."""
    gone = list(uses)
    host = free.host
    if host is not None:
        more = host.available + sum(use.host for use in gone)
        host = replace(host, available=min(host.total, more))
    cards = (
        replace(
            card,
            free=min(card.total, card.free + sum(use.cards.get(card.index, 0) for use in gone)),
        )
        for card in free.cards
    )
    return Free(host, tuple(cards))


def default_context(free: Free, rules: Rules) -> int:
    """The context of models whose requests name none, in tokens."""
    total = sum(max(0, card.total - rules.overhead) for card in free.cards)
    return rules.context or next(tokens for least, tokens in _TIERS if total >= least)


def fit(
    footprint: Footprint,
    plan: LoadPlan,
    free: Free,
    loads: Loads,
    rules: Rules,
    *,
    extra: int = 0,
    scale: float = 1.0,
) -> Fitted | None:
    """The best plan that fits beside `loads`, None when none does.

    What a request or a setting says is kept to; what was left to us (the context with `n_ctx_auto`,
    layers on cards, the pool's size up to `n_parallel` contexts, or a few with 0) is as much as
    there is room for, the layers first. `extra` are the bytes of the plan's other files; `scale`
    corrects the estimate by what a runner of this model reported.
    """
    room = _left(free, loads)
    partial: Fitted | None = None
    for candidate in _candidates(footprint, plan, free, rules):
        need = _scaled(estimate(footprint, candidate, extra=extra), scale)
        wish = Wish(plan.n_gpu_layers, plan.main_gpu, rules.spread, rules.overhead)
        placed = place(need, room.cards, wish)
        is_whole = placed.is_full or not room.cards or plan.n_gpu_layers >= 0
        is_modest = candidate.n_parallel == 1 or plan.n_parallel > 0 or _is_modest(need, room)
        if not _has_host_room(placed, room) or not is_modest:
            continue
        fitted = Fitted(_placed(candidate, placed, room.cards), _use(placed), placed.n_layers)
        if is_whole:
            return fitted
        partial = fitted  # the smallest of those that leave layers to the processor
    return partial


def use_of(footprint: Footprint, plan: LoadPlan, *, extra: int = 0, scale: float = 1.0) -> Use:
    """What a plan takes that says which cards get how many layers."""
    split = dict(zip(plan.cards, plan.card_layers, strict=True))
    return _use(placement_of(_scaled(estimate(footprint, plan, extra=extra), scale), split))


def refusal(
    footprint: Footprint,
    plan: LoadPlan,
    free: Free,
    rules: Rules,
    *,
    extra: int = 0,
    scale: float = 1.0,
) -> str:
    """The message for a model that does not fit even alone, with the figures."""
    *_, smallest = _candidates(footprint, plan, free, rules)
    placed = place(
        _scaled(estimate(footprint, smallest, extra=extra), scale),
        free.cards,
        Wish(plan.n_gpu_layers, plan.main_gpu, rules.spread, rules.overhead),
    )
    available = free.host.available if free.host else 0
    return (
        f"model requires more system memory ({human_bytes_binary(placed.on_host)}) than is "
        f"available ({human_bytes_binary(available)})"
    )


def smaller_contexts(n_ctx: int) -> list[int]:
    """The default contexts below this one, the largest first."""
    return [tokens for _, tokens in _TIERS if tokens < n_ctx]


def _candidates(
    footprint: Footprint, plan: LoadPlan, free: Free, rules: Rules
) -> Iterator[LoadPlan]:
    """Plans from the most wanted to the least, each with nothing left open but the layers."""
    for n_ctx in _contexts(footprint, plan, free, rules):
        n_parallel = plan.n_parallel or _CONTEXTS
        while n_parallel:
            yield replace_plan(plan, n_ctx=n_ctx, n_parallel=n_parallel)
            n_parallel //= 2


def _contexts(footprint: Footprint, plan: LoadPlan, free: Free, rules: Rules) -> Iterable[int]:
    if not plan.n_ctx_auto or rules.context or not free.cards:
        return (plan.n_ctx,)
    most = footprint.n_ctx_train or default_context(free, rules)
    first = default_context(free, rules)
    sizes = [tokens for _, tokens in _TIERS if tokens <= first]
    return dict.fromkeys(min(tokens, most) for tokens in sizes)


def _left(free: Free, loads: Loads) -> Free:
    """What there is for another: less than is free, as some of what is loaded still grows."""
    cards = tuple(
        replace(card, free=_rest(card.free, card.total, loads, card.index)) for card in free.cards
    )
    if free.host is None:
        return Free(None, cards)
    available = _rest(free.host.available, free.host.total, loads, None)
    host = replace(free.host, available=available)
    return Free(host, tuple(_shared(card, available) for card in cards))


def _rest(free: int, total: int, loads: Loads, card: int | None) -> int:
    """What files that are mapped into memory take is free by the system's word, but in use."""
    unseen = sum(_part(use, card) for use in loads.unseen)
    return max(0, min(free - unseen, total - sum(_part(use, card) for use in loads.all)))


def _part(use: Use, card: int | None) -> int:
    return use.host if card is None else use.cards.get(card, 0)


def _shared(card: Card, host: int) -> Card:
    return replace(card, free=min(card.free, host)) if card.is_integrated else card


def _scaled(need: Estimate, scale: float) -> Estimate:
    """The estimate corrected. Weights and cells are known: it is the graph that takes more or less,
    on whichever device computes.
    """
    if scale == 1.0:
        return need
    surplus = int((need.on_host - need.extra) * (scale - 1.0))
    graph = max(0, need.graph + surplus)
    host = max(0, need.host + surplus - (graph - need.graph))
    return replace(need, graph=graph, host=host, later=int(need.later * scale))


def _has_host_room(placed: Placement, room: Free) -> bool:
    return room.host is None or placed.on_host <= room.host.available


def _is_modest(need: Estimate, room: Free) -> bool:
    """Whether a pool of several contexts takes no more than its share of what is left."""
    left = sum(card.free for card in room.cards)
    if not room.cards and room.host is not None:
        left = room.host.available
    return need.cells * _POOL_SHARE <= max(0, left - (need.on_host - need.cells))


def _placed(plan: LoadPlan, placed: Placement, cards: tuple[Card, ...]) -> LoadPlan:
    if not cards:
        return plan
    return replace_plan(
        plan,
        n_gpu_layers=placed.n_layers,
        cards=tuple(placed.split),
        card_layers=tuple(placed.split.values()),
    )


def _use(placed: Placement) -> Use:
    return Use(placed.on_host, dict(placed.on_cards), placed.later)
