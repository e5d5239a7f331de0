"""What sequences want of the next decode and get, and how much a full context drops. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Share", "Want", "discard_count", "prompt_limit"]


@dataclass(frozen=True, slots=True)
class Want:
    """A running sequence: `pending` tokens are not in the KV cache yet.

    A sequence that has just sampled wants exactly one; more than one means prefill, where `weight`
    says how much of it one gets against others of the same `client`; between clients, each counts
    as its weightiest. `is_new` before the first of a prompt was read; `position` tokens are in the
    cache.
    """

    key: int
    pending: int
    weight: int = 1
    client: str = ""
    is_new: bool = False
    position: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """`count` tokens of the sequence `key` go into this decode."""

    key: int
    count: int


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
