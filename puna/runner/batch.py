"""Which tokens enter the next decode: a pure decision over what each sequence still has to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Share", "Want", "discard_count", "plan_batch", "prompt_limit"]


@dataclass(frozen=True, slots=True)
class Want:
    """A running sequence: `pending` tokens are not in the KV cache yet.

    A sequence that has just sampled wants exactly one; more than one means prefill, where `weight`
    says how much of it one gets against others of the same `client`; between clients, each counts
    as its weightiest.
    """

    key: int
    pending: int
    weight: int = 1
    client: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` tokens of the sequence `key` go into this decode."""

    key: int
    count: int


def plan_batch(wants: Sequence[Want], budget: int, allowance: int | None = None) -> list[Share]:
    """Divide `budget` tokens: first one for everybody, the rest between clients, then between
    those of each who still read, by weight.

    Nobody's stream waits for another's prompt, and a short prompt does not wait behind a long one.
    `allowance` bounds what those who read get beyond their one. Sequences beyond the budget get
    nothing this time: the caller passes them in a fair order.
    """
    counts = {want.key: 1 for want in wants[:budget] if want.pending > 0}
    left = budget - len(counts)
    if allowance is not None:
        left = min(left, allowance)
    hungry = [want for want in wants if want.key in counts and want.pending > 1]
    while left > 0 and hungry:
        still: list[Want] = []
        for want, portion in zip(hungry, _portions(hungry, left), strict=True):
            due = max(1, int(portion))
            extra = min(due, want.pending - counts[want.key], left)
            counts[want.key] += extra
            left -= extra
            if counts[want.key] < want.pending:
                still.append(want)
        hungry = still
    return [Share(key, count) for key, count in counts.items()]


def _portions(hungry: Sequence[Want], left: int) -> list[float]:
    """What each gets of the tokens that are left."""
    most: dict[str, int] = {}
    total: dict[str, int] = {}
    for want in hungry:
        most[want.client] = max(most.get(want.client, 0), want.weight)
        total[want.client] = total.get(want.client, 0) + want.weight
    whole = left / sum(most.values())
    return [whole * most[want.client] * want.weight / total[want.client] for want in hungry]


def prompt_limit(n_ctx: int, n_keep: int) -> int:
    """How long a prompt may be that had to be cut: half of what is not kept stays free.

    `n_keep` negative keeps as much as possible (prompting spec, section 2.4).
    """
    keep = min(n_keep if n_keep >= 0 else n_ctx, n_ctx - 1)
    return n_ctx - max((n_ctx - keep) // 2, 1)


def discard_count(n_ctx: int, n_keep: int, length: int) -> int:
    """How many tokens after the kept ones a context shift drops (serving spec, section 6.5)."""
    target_free = max((n_ctx - n_keep) // 2, 1)
    return max(target_free - (n_ctx - length), 0)
