"""Where one answer stands in its grammar: masks that leave only what can come next.

Facts: prompting spec, 7.2. The masks are llguidance's; the vocabulary is the loaded model's. What a
grammar may look like is rules.py's business.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher

from puna.errors import EngineError
from puna.runner.llama.model import Model
from puna.runner.llama.rules import Rules, refusal
from puna.runner.llama.spelling import make_tokenizer
from puna.runner.llama.trial import Trial, limits
from puna.runner.protocol import Generation

__all__ = ["Grammars", "Matcher"]

_BITS = 32
_TRIED = 64  # grammars whose trial is remembered
_HELPERS = 4  # threads that compute masks while the engine decodes
_TOKENIZERS = 3  # kept, each with other tags as text: a model's outlines mostly have the same

Forbidden = npt.NDArray[np.bool_]
"""Shape (n_vocab,): the tokens that cannot come next."""


class Grammars:
    """The grammars of one model. Its vocabulary is prepared when the first one is asked for."""

    def __init__(self, model: Model) -> None:
        self._model = model
        helpers = max(1, min(_HELPERS, (os.cpu_count() or 1) // 2))
        self._helpers = ThreadPoolExecutor(helpers, thread_name_prefix="masks")
        self._trial = Trial()
        self._tried = lru_cache(_TRIED)(self._trial.failure)  # most clients ask for the same again
        self._tokenizer = lru_cache(_TOKENIZERS)(self._make_tokenizer)

    def _make_tokenizer(self, shown: frozenset[int]) -> Any:
        """With control tokens that are text. A second or so for a large vocabulary."""
        return make_tokenizer(self._model, shown)

    def _shown(self, order: Generation) -> frozenset[int]:
        """The control tokens that an outline writes as text. Ends of answers stay what they are."""
        if not order.outline:
            return frozenset()
        model = self._model
        tags = model.single_tokens(order.visible)
        return frozenset(tag for tag in tags if model.is_special(tag) and not model.is_end(tag))

    def matcher(self, order: Generation) -> Matcher | None:
        """For what the order holds its answer to; None when that is nothing.

        Takes its time: up to seconds. Raises BadRequest with the reason when the grammar is wrong,
        or more than can be held to.
        """
        rules = Rules.of(order)
        if rules is None:
            return None
        if failure := self._tried(rules.grammar, rules.fuel):
            raise refusal(rules.kind, failure)
        tokenizer = self._tokenizer(self._shown(order))
        matcher = LLMatcher(tokenizer, rules.grammar, log_level=0, limits=limits(rules.fuel))
        if matcher.is_error():
            raise refusal(rules.kind, matcher.get_error())
        made = Matcher(matcher, self._model.n_vocab, self._helpers)
        if failure := made.failure():
            raise refusal(rules.kind, failure)
        return made

    def close(self) -> None:
        """End what helps to make them. Idempotent."""
        self._trial.close()
        self._helpers.shutdown(wait=False)


class Matcher:
    """The state of one answer. The next mask is computed in a thread as soon as it can be known."""

    def __init__(self, matcher: Any, n_vocab: int, helpers: ThreadPoolExecutor) -> None:
        self._matcher = matcher
        self._n_vocab = n_vocab
        self._helpers = helpers
        self._mask = np.zeros((n_vocab + _BITS - 1) // _BITS, np.int32)
        self._next: Future[Forbidden] = helpers.submit(self._compute)

    def failure(self) -> str:
        """Why the first mask cannot be computed; "" when it can, which this waits for."""
        return self._matcher.get_error() if self._next.exception() else ""

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Forbid, in place, every token that cannot come next. `logits` has shape (n_vocab,)."""
        np.copyto(logits, -np.inf, where=self._next.result())

    def accept(self, token: int) -> None:
        """Go on by a token."""
        self._next.result()  # the state must not move under a mask that is being computed
        if not self._matcher.consume_token(token):
            raise self._failure()
        self._next = self._helpers.submit(self._compute)

    def _compute(self) -> Forbidden:
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        if self._matcher.is_error():
            raise self._failure()
        np.invert(self._mask, out=self._mask)
        bits = np.unpackbits(self._mask.view(np.uint8), count=self._n_vocab, bitorder="little")
        return bits.view(np.bool_)

    def _failure(self) -> EngineError:
        return EngineError(f"the format cannot be held to: {self._matcher.get_error()}")
