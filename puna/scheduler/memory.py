"""How much memory a load will take, from the model file's header and the plan alone. Pure.

The arithmetic is that of the engine as it was measured (serving spec, section 3, has the
reference's). What a runner reports once it has loaded takes the estimate's place.
"""

from __future__ import annotations

from dataclasses import dataclass

from puna.gguf.footprint import Footprint
from puna.runner.protocol import LoadPlan
from puna.runner.sizes import ContextSizes, context_sizes

__all__ = ["Estimate", "LayerNeed", "estimate"]

_FLOAT = 4
_CELL_BYTES = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q5_1": 24 / 32,
    "q5_0": 22 / 32,
    "q4_1": 20 / 32,
    "q4_0": 18 / 32,
}
"""Bytes of an element of the cache, its share of the block's scales included."""


@dataclass(frozen=True, slots=True)
class LayerNeed:
    """Bytes of one layer: its weights, and what it keeps of tokens and sequences."""

    weights: int
    cells: int

    @property
    def total(self) -> int:
        return self.weights + self.cells


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that a load takes.

    `layers` go to a device one by one; `head` is the last step, from hidden state to logits, and
    goes as one more layer (`is_tied`: its weights are the embedding's, which the host keeps too).
    `host` always stays with the processor: embeddings and the buffer for logits. `graph` is what
    computing takes on each device that does; `extra` are other files: projectors, adapters, a
    draft model. `later` is what a runner on a processor may allocate when it is first needed.
    """

    layers: tuple[LayerNeed, ...]
    head: int
    is_tied: bool
    host: int
    graph: int
    extra: int = 0
    later: int = 0

    @property
    def on_host(self) -> int:
        """The load as a whole where the processor computes everything, `later` not included."""
        layers = sum(layer.total for layer in self.layers)
        return layers + (0 if self.is_tied else self.head) + self.host + self.graph + self.extra

    @property
    def cells(self) -> int:
        """Bytes that all layers keep of tokens and sequences."""
        return sum(layer.cells for layer in self.layers)


def estimate(footprint: Footprint, plan: LoadPlan, *, extra: int = 0) -> Estimate:
    """What loading a model by a plan takes; `extra` are the bytes of the plan's other files."""
    sizes = context_sizes(plan, is_recurrent=footprint.is_recurrent)
    bytes_per_element = _CELL_BYTES.get(plan.kv_type, 2.0)
    layers = tuple(
        LayerNeed(
            weights=layer.weights,
            cells=int((layer.key + layer.value) * sizes.n_cells * bytes_per_element)
            + layer.state * (sizes.n_sequences + 1) * _FLOAT,
        )
        for layer in footprint.layers
    )
    logits = footprint.n_vocab * (sizes.n_sequences + 1) * _FLOAT
    needs_flash = plan.flash_attention is not False
    return Estimate(
        layers=layers,
        head=footprint.output,
        is_tied=footprint.is_tied,
        host=footprint.other + logits,
        graph=_graph(footprint, sizes, is_flash=needs_flash),
        extra=extra,
        later=_private(footprint, plan, layers, sizes, is_flash=needs_flash),
    )


def _graph(footprint: Footprint, sizes: ContextSizes, *, is_flash: bool) -> int:
    """The buffer of everything between the layers' inputs and outputs at its fullest moment.

    Which moment that is depends on the shape: attention (without flash attention the scores of
    all heads against all cells), the feed-forward layer, or the logits of a whole batch.
    """
    n, f = sizes.n_micro, footprint
    mask = f.n_masks * sizes.n_cells * (2 if is_flash else 4) if f.query else 0
    widest = max((layer.key + layer.value for layer in f.layers), default=0)
    attention = (3 * f.n_embd + 2 * f.query + f.query_plain + widest) * _FLOAT + mask
    if not is_flash and f.query:
        attention += f.n_head * sizes.n_cells * _FLOAT  # the scores
    feed = (2 * f.n_embd + 3 * f.n_ff) * _FLOAT + mask
    if f.n_expert_used:
        each = 3 * (f.n_ff_expert or f.n_ff) + f.n_embd
        feed = (2 * f.n_embd + f.n_expert_used * each + 3 * f.n_expert) * _FLOAT + mask
    state = (2 * f.n_embd + 6 * f.inner) * _FLOAT + mask
    logits = (f.n_vocab + 2 * f.n_embd) * _FLOAT
    kept = max((layer.state for layer in f.layers), default=0) * _FLOAT
    return n * max(attention, feed, state, logits) + kept * (sizes.n_sequences + 1)


def _private(
    footprint: Footprint,
    plan: LoadPlan,
    layers: tuple[LayerNeed, ...],
    sizes: ContextSizes,
    *,
    is_flash: bool,
) -> int:
    """The context in which a processor computes one sequence apart (architecture, "The runner")."""
    if footprint.is_recurrent or footprint.n_masks > 1 or plan.embedding_only:
        return 0
    cells = sum(layer.cells for layer in layers) * plan.n_ctx // max(1, sizes.n_cells)
    return cells + _graph(footprint, sizes, is_flash=is_flash)
