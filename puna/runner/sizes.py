"""How large a context is made for a plan: what the engine is asked for, and what memory is
estimated by. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from puna.runner.protocol import LoadPlan

__all__ = ["ContextSizes", "context_sizes"]

_DEFAULT_BATCH = 512  # tokens
_MICRO_BATCH = 512  # tokens that are computed at a time
_BLOCK = 256  # cells; libllama rounds a pool up to them
_STATES = 8  # of models with a state: every sequence costs a whole one, used or not
_HELD_SEQUENCES = 32


@dataclass(frozen=True, slots=True)
class ContextSizes:
    """Sizes of the pool's context.

    `n_live` sequences may decode together; `n_sequences` are those and finished ones whose cells
    are kept. `n_batch` tokens come into a decode, `n_micro` of them are computed at a time.
    """

    n_cells: int
    n_live: int
    n_sequences: int
    n_batch: int
    n_micro: int


def context_sizes(plan: LoadPlan, *, is_recurrent: bool, most_sequences: int = 256) -> ContextSizes:
    """The sizes for a plan; `most_sequences` is what the engine can hold at all."""
    n_live, held = plan.max_sequences, _HELD_SEQUENCES
    if is_recurrent:
        n_live = min(plan.max_sequences, max(plan.n_parallel, _STATES // 2))
        held = _STATES // 2
    n_sequences = min(most_sequences - 1, n_live + held)
    n_cells = -(-plan.n_ctx * plan.n_parallel // _BLOCK) * _BLOCK
    batch = min(plan.n_batch or _DEFAULT_BATCH, n_cells)
    n_batch = max(batch, n_sequences + 1)  # libllama's own demand
    return ContextSizes(
        n_cells=max(n_cells, n_batch),  # libllama cuts the batch to it
        n_live=n_live,
        n_sequences=n_sequences,
        n_batch=n_batch,
        n_micro=min(n_batch, _MICRO_BATCH),
    )
