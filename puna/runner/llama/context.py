"""A context of libllama: the pool of KV cells, and decoding a batch of tokens of many sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from puna.errors import EngineError
from puna.runner.llama.library import LOG, lib, start_failure
from puna.runner.llama.model import Model
from puna.runner.llama.params import apply_adapters, make_params
from puna.runner.llama.private import OWN, PrivateContext
from puna.runner.llama.state import Scratch, read_state, write_state
from puna.runner.llama.streams import Demand, Streams
from puna.runner.llama.tokens import TokenBatch, vector_batch
from puna.runner.protocol import LoadPlan
from puna.runner.sizes import ContextSizes, context_sizes

__all__ = ["Context", "Decoded"]


_NO_ROOM = "the pool of the model has no room for what it counted as used"


class Decoded(Enum):
    """How a decode ended."""

    OK = 0
    NO_CELLS = 1


@dataclass(frozen=True, slots=True)
class _Piece:
    """Tokens of a prompt that are computed apart."""

    sequence: int
    position: int
    tokens: Sequence[int]


class Context:
    """One unified pool of cells shared by all sequences of a model. Not thread-safe: one owner."""

    def __init__(self, model: Model, plan: LoadPlan, n_threads: int) -> None:
        """Allocate the pool. Raises StartFailed or OutOfMemory with libllama's words."""
        LOG.forget_errors()
        most = lib.llama_max_parallel_sequences()
        sizes = context_sizes(plan, is_recurrent=model.is_recurrent, most_sequences=most)
        self.n_live = sizes.n_live
        """Sequences that may decode together."""
        self.n_sequences = sizes.n_sequences
        """Those, and finished ones whose cells are kept."""
        self.n_window = model.n_window
        self.n_batch = sizes.n_batch
        self.n_whole = sizes.n_micro
        """Tokens of a decode that can see each other."""
        cells_before = LOG.cells
        self._handle = lib.llama_init_from_model(model.handle, _params(plan, sizes, n_threads))
        if not self._handle:
            raise start_failure("failed to create the context")
        apply_adapters(self._handle, model, plan.adapters)
        self._memory = lib.llama_get_memory(self._handle)
        self.n_cells = int(lib.llama_n_ctx(self._handle))
        self.can_shift = bool(lib.llama_memory_can_shift(self._memory))
        self.is_asynchronous = LOG.allocated()[1] > 0
        """Whether a graphics card computes while this process goes on."""
        self._n_vocab = model.n_vocab
        self._batch, self._own = TokenBatch(self.n_batch), TokenBatch(self.n_batch)
        self._n_used, self._is_sole = 0, False
        self._pieces: list[_Piece] = []
        self._answering = self._handle  # what computed the newest logits
        self._private: PrivateContext | None = None
        self._streams: Streams | None = None
        self._streaming: list[Demand] = []  # what of this decode is in streams
        self._leaving: list[int] = []  # sequences that the pool needs for this decode
        if self._can_compute_apart(model, plan):
            shared = self._handle, self.n_sequences, Scratch()
            self._private = PrivateContext(model, plan, n_threads, self.n_batch, *shared)
            size = LOG.cells - cells_before
            self._streams = Streams(model, plan, n_threads, self.n_cells, size, *shared)

    def _can_compute_apart(self, model: Model, plan: LoadPlan) -> bool:
        """Whether a shorter context of full attention makes the same cells, and it may pay."""
        is_same = plan.n_parallel == 1 or not model.is_stretched
        others = self.is_asynchronous or model.is_recurrent or self.n_window
        return self.has_memory and is_same and not others

    @property
    def has_memory(self) -> bool:
        """False for encoders, which keep nothing between decodes and so cannot continue a text."""
        return bool(self._memory)

    @property
    def answering(self) -> Any:
        """libllama's pointer to the context that computed the newest logits."""
        return self._answering

    def prepare(self) -> bool:
        """Make one of the contexts that are made when they are needed, while nobody waits; False
        when there is none to make."""
        if self._private is None or self._streams is None:
            return False
        return self._private.prepare() or self._streams.prepare()

    def begin(self, n_used: int = 0, *, sole: bool = False, demands: Sequence[Demand] = ()) -> None:
        """Start an empty batch, with `n_used` cells of the pool in use.

        With `sole`, one sequence alone comes into it, and no other runs. `demands` are all that
        will be added: with them it may be computed where sequences have cells of their own.
        """
        self._batch.count = 0
        self._n_used, self._is_sole = n_used, sole
        self._answering = self._handle
        self._pieces.clear()
        self._leaving.clear()
        self._streaming = self._to_streams(demands)
        if self._streaming and self._streams is not None:
            self._own.count = 0
            self._answering = self._streams.handle

    def _to_streams(self, demands: Sequence[Demand]) -> list[Demand]:
        """The demands with logits, if those are to be computed in streams; else none."""
        if self._streams is None or self._private is None:
            return []
        speaking = [each for each in demands if each.n_logits]
        if not speaking or (len(demands) == 1 and speaking[0].sequence not in self._streams):
            return []
        if len(speaking) > 1 and not self._private.settle():
            return []
        riding = [
            each for each in demands if not each.n_logits and not self._would_pay(each, only=False)
        ]
        saved = sum(
            each.count * (self._n_used - each.position)
            for each in riding
            if self._would_pay(each, only=True)
        )
        comes = self._streams.enter(speaking, self._n_used, len(riding[:1]), saved)
        return speaking if comes else []

    def _would_pay(self, demand: Demand, *, only: bool) -> bool:
        place = demand.sequence, demand.position, demand.count, self._n_used
        return self._private is not None and self._private.would_pay(*place, only=only)

    def place(self, sequence: int) -> int:
        """Whose tokens should be added first in this decode: those of the lowest."""
        if not self._streaming or self._streams is None or sequence not in self._streams:
            return -1
        return self._streams.stream_of(sequence)

    def add(
        self,
        sequence: int,
        position: int,
        tokens: Sequence[int],
        *,
        logits: int,
        apart: bool = True,
    ) -> int:
        """Put tokens of a sequence into the batch, the first at `position`.

        The last `logits` of them get logits; the batch's index of the first that does is returned.
        Not `apart` are those computed of whom the pool alone has all.
        """
        if self._streams is not None:
            if self._streaming and logits:
                stream = self._streams.stream_of(sequence)
                return self._own.add(stream, position, tokens, logits=logits)
            if sequence in self._streams:
                self._leaving.append(sequence)
        if self._private is not None and apart:
            count, used = len(tokens) - logits, self._n_used
            is_sole = self._is_sole and not self._leaving
            if is_sole and self._private.enter(sequence, position, len(tokens), used):
                self._answering = self._private.handle
                return self._batch.add(OWN, position, tokens, logits=logits)
            only = bool(self._streaming)
            if self._private.pays(sequence, position, count, used, only=only):
                self._pieces.append(_Piece(sequence, position, tokens[:count]))
                position, tokens = position + count, tokens[count:]
        return self._batch.add(sequence, position, tokens, logits=logits)

    def decode(self) -> Decoded:
        """Compute the batch; where `is_asynchronous`, only begin to: `wait` for the end.

        Raises EngineError when libllama fails.
        """
        LOG.forget_errors()
        if self._private is not None and self._answering is self._private.handle:
            self._private.decode(self._batch)
            return Decoded.OK
        decoded = Decoded.NO_CELLS
        try:
            if self._compute_apart():
                decoded = self._decode_batch()
        finally:
            if decoded is not Decoded.OK:
                for piece in self._pieces:
                    self.remove(piece.sequence, piece.position)
        if decoded is Decoded.OK and self._streaming:
            self._decode_streams()
        return decoded

    def decode_vectors(
        self,
        sequence: int,
        vectors: npt.NDArray[np.float32],
        places: npt.NDArray[np.int32],
        *,
        whole: bool,
        logits: bool,
    ) -> Decoded:
        """Compute tokens of a sequence that are vectors, and wait for the end.

        Shapes: vectors (count, width of the embeddings), places (1 or 4, count), the tokens'
        positions. With `whole` they see each other, at most `n_whole` of them; with `logits` the
        last has index count - 1 of the batch. Raises EngineError when libllama fails.
        """
        LOG.forget_errors()
        self._answering = self._handle
        if self._private is not None and not self._private.settle():
            return Decoded.NO_CELLS
        batch, alive = vector_batch(sequence, vectors, places, logits=logits)
        if whole:
            lib.llama_set_causal_attn(self._handle, False)
        try:
            return self._checked(lib.llama_decode(self._handle, batch))
        finally:
            lib.llama_synchronize(self._handle)
            alive.clear()
            if whole:
                lib.llama_set_causal_attn(self._handle, True)

    def _compute_apart(self) -> bool:
        """Compute what does not ride in the pool's batch, so that the pool has everything; False
        when it has no room."""
        if self._private is None or self._streams is None:
            return True
        return (
            self._private.settle()
            and all(map(self._streams.leave, self._leaving))
            and all(
                self._private.read(piece.sequence, piece.position, piece.tokens)
                for piece in self._pieces
            )
        )

    def _decode_streams(self) -> None:
        if self._streams is None:
            return
        code = lib.llama_decode(self._answering, self._own.struct())
        if code:
            self._streams.undo(self._streaming)
            raise _failure(code)
        self._streams.note(self._streaming)

    def _decode_batch(self) -> Decoded:
        if not self._batch.count:
            return Decoded.OK
        return self._checked(lib.llama_decode(self._handle, self._batch.struct()))

    @staticmethod
    def _checked(code: int) -> Decoded:
        if code == 0:
            return Decoded.OK
        if code == 1:
            return Decoded.NO_CELLS
        raise _failure(code)

    def settle(self) -> None:
        """Bring into the pool what was computed apart. Raises EngineError when it has no room."""
        if self._streams is not None and not self._streams.settle():
            raise EngineError(_NO_ROOM)
        self._settle_private()

    def _bring(self, sequence: int) -> None:
        """Bring into the pool what was computed apart of one sequence."""
        if self._streams is not None and not self._streams.leave(sequence):
            raise EngineError(_NO_ROOM)
        self._settle_private()

    def _settle_private(self) -> None:
        if self._private is not None and not self._private.settle():
            raise EngineError(_NO_ROOM)

    def wait(self) -> None:
        """Return when the batch is computed."""
        lib.llama_synchronize(self._answering)

    def logits(self, index: int) -> npt.NDArray[np.float32]:
        """The raw logits after the batch's token `index`, shape (n_vocab,). Valid until decode."""
        pointer = lib.llama_get_logits_ith(self._answering, index)
        return np.ctypeslib.as_array(pointer, shape=(self._n_vocab,))

    def remove(self, sequence: int, start: int = -1) -> bool:
        """Drop a sequence's cells from `start` on; False when only all of them can be dropped."""
        if self._private is not None and self._streams is not None and start > 0:
            self._private.remove(sequence, start)
            self._streams.remove(sequence, start)
        else:
            self._forget(sequence)
        return bool(lib.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def copy(self, source: int, target: int, length: int) -> None:
        """Let `target` use the first `length` cells of `source`, or all of them with -1."""
        self._bring(source)
        lib.llama_memory_seq_cp(self._memory, source, target, -1 if length < 0 else 0, length)
        if self._private is not None:
            self._private.pass_on(source, target, length)

    def copy_part(self, source: int, target: int, start: int, end: int = -1) -> None:
        """Let `target` use the cells of `source` from position `start` to `end` too."""
        self._bring(source)
        lib.llama_memory_seq_cp(self._memory, source, target, start, end)

    def state(self, sequence: int) -> memoryview:
        """A sequence's cells as bytes; empty when libllama cannot give them."""
        self._bring(sequence)
        return read_state(self._handle, sequence)

    def restore(self, sequence: int, state: memoryview) -> bool:
        """Give a sequence the cells of `state`, which must come from `state()` unchanged.

        False, and no cells, when there is no room for them.
        """
        self._forget(sequence)
        return write_state(self._handle, sequence, state)

    def first_position(self, sequence: int) -> int:
        """The first position that every layer still has, -1 when there is none."""
        return int(lib.llama_memory_seq_pos_min(self._memory, sequence))

    def shift(self, sequence: int, start: int, count: int) -> None:
        """Drop `count` cells from position `start` on and move the later ones down."""
        self._bring(sequence)
        self._forget(sequence)
        lib.llama_memory_seq_rm(self._memory, sequence, start, start + count)
        lib.llama_memory_seq_add(self._memory, sequence, start + count, -1, -count)

    def close(self) -> None:
        """Free the pool."""
        if self._streams is not None:
            self._streams.close()
        if self._private is not None:
            self._private.close()
        lib.llama_free(self._handle)
        self._handle = None

    def _forget(self, sequence: int) -> None:
        if self._private is not None:
            self._private.forget(sequence)
        if self._streams is not None:
            self._streams.forget(sequence)


def _failure(code: int) -> EngineError:
    return EngineError(
        f"an error was encountered while running the model: decode failed ({code}) {LOG.errors}"
    )


def _params(plan: LoadPlan, sizes: ContextSizes, n_threads: int) -> Any:
    params = make_params(plan, n_threads)
    params.n_ctx = sizes.n_cells
    params.n_batch = sizes.n_batch
    params.n_ubatch = sizes.n_micro
    params.n_seq_max = sizes.n_sequences + 1  # one for what moves
    return params
