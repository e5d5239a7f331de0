"""How the next token of one sequence is drawn: a chain of libllama's samplers.

Facts: serving spec, section 7.1 (the order of the stages matters).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable
from typing import Any

from puna.errors import BadRequest, EngineError
from puna.runner.llama.context import Context
from puna.runner.llama.grammar import Matcher
from puna.runner.llama.library import lib
from puna.runner.llama.model import Model
from puna.runner.protocol import Sampling

__all__ = ["Sampler"]

_MIN_KEEP = 1
_FLOAT_MAX = 3.0e38
_PENALTIES = ("repeat_penalty", "presence_penalty", "frequency_penalty")
_MIROSTAT = ("mirostat_tau", "mirostat_eta")
_FLOATS = ("temperature", "top_p", "min_p", "typical_p", *_PENALTIES, *_MIROSTAT)
_FORBIDDEN = -1e30  # finite: where a grammar leaves nothing else, the answer still goes on
_LEAST_BIAS = -100
_MIROSTAT_TOKENS = 100  # from whose probabilities version 1 estimates the distribution
_SOME_PROBABILITY = 1e-30


class Sampler:
    """The sampling state of one sequence. It owns memory of libllama: close it."""

    def __init__(
        self, model: Model, sampling: Sampling, matcher: Matcher | None, n_ctx: int
    ) -> None:
        """Build the chain. Raises BadRequest for values that no sampler accepts."""
        _check(sampling)
        self._matcher = matcher
        params = lib.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain: Any = lib.llama_sampler_chain_init(params)
        try:
            self._build(model, sampling, n_ctx)
        except BaseException:
            self.close()
            raise

    def _build(self, model: Model, sampling: Sampling, n_ctx: int) -> None:
        if sampling.logit_bias:
            self._add_biases(model, sampling.logit_bias)
        if sampling.mirostat and sampling.temperature > 0:
            self._add_mirostat(model, sampling)
            return
        last_n = sampling.repeat_last_n if 0 <= sampling.repeat_last_n <= n_ctx else n_ctx
        penalties = (
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        )
        if last_n and penalties != (1.0, 0.0, 0.0):
            self._add(lib.llama_sampler_init_penalties(model.n_vocab, last_n, *penalties))
        if sampling.temperature <= 0:
            self._add(lib.llama_sampler_init_greedy())
            return
        if sampling.top_k > 0:
            self._add(lib.llama_sampler_init_top_k(min(sampling.top_k, model.n_vocab)))
        if sampling.typical_p < 1:
            self._drop_impossible()
            self._add(lib.llama_sampler_init_typical(sampling.typical_p, _MIN_KEEP))
        if sampling.top_p < 1:
            self._add(lib.llama_sampler_init_top_p(sampling.top_p, _MIN_KEEP))
        if sampling.min_p > 0:
            self._add(lib.llama_sampler_init_min_p(sampling.min_p, _MIN_KEEP))
        self._add(lib.llama_sampler_init_temp(sampling.temperature))
        self._add(lib.llama_sampler_init_dist(_seed(sampling)))

    def _add_biases(self, model: Model, wanted: Iterable[tuple[int | str, float]]) -> None:
        biases: dict[int, float] = {}
        for key, bias in wanted:
            for token in _tokens_of(model, key):
                biases[token] = biases.get(token, 0.0) + bias
        array = (lib.llama_logit_bias * len(biases))(
            *(
                lib.llama_logit_bias(token, bias if bias > _LEAST_BIAS else _FORBIDDEN)
                for token, bias in biases.items()
            )
        )
        pointer = ctypes.cast(array, lib.llama_logit_bias_p)  # the stage makes a copy
        self._add(lib.llama_sampler_init_logit_bias(model.n_vocab, len(biases), pointer))

    def _add_mirostat(self, model: Model, sampling: Sampling) -> None:
        seed, tau, eta = _seed(sampling), sampling.mirostat_tau, sampling.mirostat_eta
        self._add(lib.llama_sampler_init_temp(sampling.temperature))
        if sampling.mirostat == 2:
            self._add(lib.llama_sampler_init_mirostat_v2(seed, tau, eta))
            return
        self._drop_impossible()
        self._add(lib.llama_sampler_init_mirostat(model.n_vocab, seed, tau, eta, _MIROSTAT_TOKENS))

    def _drop_impossible(self) -> None:
        """Before stages that take logarithms of probabilities: what a grammar forbids has none."""
        self._add(lib.llama_sampler_init_min_p(_SOME_PROBABILITY, _MIN_KEEP))

    def _add(self, stage: Any) -> None:
        if not stage:
            raise EngineError("a sampler could not be made")
        lib.llama_sampler_chain_add(self._chain, stage)

    def remember(self, tokens: Iterable[int]) -> None:
        """Let the penalties see tokens of the prompt."""
        for index in range(lib.llama_sampler_chain_n(self._chain)):
            stage = lib.llama_sampler_chain_get(self._chain, index)
            if lib.llama_sampler_name(stage) == b"penalties":
                for token in tokens:
                    lib.llama_sampler_accept(stage, token)
                return

    def sample(self, context: Context, index: int) -> int:
        """Draw from the logits of the batch's token `index`, and remember what was drawn.

        A format changes these logits: who wants them as they were takes them before.
        """
        if self._matcher is not None:
            self._matcher.mask(context.logits(index))
        token = int(lib.llama_sampler_sample(self._chain, context.answering, index))
        if self._matcher is not None:
            self._matcher.accept(token)
        return token

    def close(self) -> None:
        """Free the chain. Idempotent."""
        if self._chain:
            lib.llama_sampler_free(self._chain)
            self._chain = None


def _seed(sampling: Sampling) -> int:
    """libllama draws a seed of its own for 32 set bits, which is what -1 becomes."""
    return sampling.seed & 0xFFFFFFFF


def _tokens_of(model: Model, key: int | str) -> list[int]:
    if isinstance(key, str):
        return model.tokenize(key, add_special=False, parse_special=False)
    if not 0 <= key < model.n_vocab:
        raise BadRequest(f'option "logit_bias": token {key} is not in the model\'s vocabulary')
    return [key]


def _check(sampling: Sampling) -> None:
    if sampling.mirostat not in {0, 1, 2}:
        raise BadRequest('option "mirostat" must be 0, 1 or 2')
    for name in _FLOATS:
        value = getattr(sampling, name)
        if not math.isfinite(value) or abs(value) > _FLOAT_MAX:
            raise BadRequest(f'option "{name}" is out of range')
    if sampling.repeat_penalty <= 0:
        raise BadRequest('option "repeat_penalty" must be greater than 0')
