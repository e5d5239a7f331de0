"""Vectors for texts: from a request to what answers it.

Facts: API spec, sections 9 and 10.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from puna.api.requests import EmbeddingsRequest, EmbedRequest, Tokens
from puna.config import Settings
from puna.errors import BadRequest, ModelNotFound, quoted
from puna.metrics import Operation
from puna.runner.protocol import Embedding
from puna.scheduler.clock import Clock
from puna.scheduler.lease import Lease
from puna.scheduler.loop import Scheduler
from puna.service.catalog import Catalog, Entry, parse_reference
from puna.service.prepare import check_priority, check_runnable, make_need, make_options, plan_load
from puna.service.turn import Stopwatch
from puna.service.work import Work, leased
from puna.threads import give_way

__all__ = ["Embed", "Embedded", "Vector", "check_size", "normalize", "read_inputs", "shorten"]

Vector: TypeAlias = "array[float]"
"""Numbers of 32 bits."""

MOST_NUMBERS = 2**25
"""In all vectors of one answer: 128 MiB here, and several times as much as JSON."""
NOT_A_NUMBER = "embedding contains NaN or Inf values"
_LEAST_NORM = 1e-12
_AT_ONCE = 64  # vectors to work on before others get a turn


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of a request, in the order of its inputs. Durations in nanoseconds."""

    vectors: list[Vector]
    total_ns: int = 0
    load_ns: int = 0
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Use:
    """A loaded model, and how many tokens an input may have."""

    lease: Lease
    n_ctx: int
    work: Work


class Embed:
    """Answers requests for vectors."""

    def __init__(
        self, catalog: Catalog, scheduler: Scheduler, clock: Clock, settings: Settings
    ) -> None:
        self._catalog = catalog
        self._scheduler = scheduler
        self._clock = clock
        self._settings = settings

    async def embed(self, order: EmbedRequest) -> Embedded:
        """A vector of length 1 for each input; without inputs, load the model."""
        started = self._clock.now()
        priority = check_priority(order.priority)
        if not order.model.strip():
            raise ModelNotFound(order.model)
        parse_reference(order.model)
        inputs = read_inputs(order.input)
        async with self._model(order, started, len(inputs)) as use:
            if not inputs:
                return Embedded([])
            texts = await _texts(use.lease, inputs)
            asked = Embedding(
                inputs=texts,
                n_ctx=use.n_ctx,
                truncate=order.truncate is not False,
                priority=priority,
                client=order.client,
            )
            result = await use.lease.engine.embed(asked)
            vectors = []
            for number, raw in enumerate(result.vectors, 1):
                vectors.append(shorten(normalize(array("f", raw)), order.dimensions))
                if not number % _AT_ONCE:
                    await give_way()
            use.work.read(sum(result.tokens))
            watch = Stopwatch(self._clock, started, use.lease.load_ns)
            return Embedded(vectors, watch.total_ns(), watch.load_ns, sum(result.tokens))

    async def embeddings(self, order: EmbeddingsRequest) -> Vector:
        """The vector of a prompt as the model gives it; without a prompt, load the model."""
        started = self._clock.now()
        priority = check_priority(order.priority)
        async with self._model(order, started, int(bool(order.prompt))) as use:
            if not order.prompt:
                return array("f")
            asked = Embedding(
                inputs=(order.prompt,),
                n_ctx=use.n_ctx,
                truncate=False,
                priority=priority,
                client=order.client,
            )
            try:
                result = await use.lease.engine.embed(asked)
                use.work.read(sum(result.tokens))
                vector = array("f", result.vectors[0])
                _length(vector)
            except BadRequest as error:  # here the reference's text has no blanks around it
                raise BadRequest(str(error).strip()) from error
            return vector

    async def _find(self, raw: str) -> Entry:
        try:
            entry = await self._catalog.find(raw)
        except ModelNotFound as missing:
            message = f"model {quoted(raw)} not found, try pulling it first"
            raise ModelNotFound(raw, message) from missing
        check_runnable(entry, raw)
        return entry

    @asynccontextmanager
    async def _model(
        self, order: EmbedRequest | EmbeddingsRequest, started: float, n_inputs: int
    ) -> AsyncIterator[_Use]:
        """Wait for the model. Any kind will do: one that generates can make vectors as well."""
        entry = await self._find(order.model)
        check_size(n_inputs, entry.footprint.n_embd if entry.footprint else 0)
        options = make_options(entry, order.options)
        plan = plan_load(entry, options, self._settings)
        need = make_need(entry, plan, order)
        does: Operation = "embed" if n_inputs else "load"
        async with leased(self._scheduler, self._clock, need, does, started) as (lease, work):
            loaded = lease.engine.info.n_ctx
            yield _Use(lease, min(options.num_ctx or loaded, loaded), work)


async def _texts(lease: Lease, inputs: tuple[str | Tokens, ...]) -> tuple[str, ...]:
    return tuple(
        [
            await lease.engine.detokenize(each) if isinstance(each, Tokens) else each
            for each in inputs
        ]
    )


def read_inputs(value: Any) -> tuple[str | Tokens, ...]:
    """The inputs: a text, a list of texts (or, from other APIs, Tokens), or nothing. Raises
    BadRequest.
    """
    match value:
        case None | "":
            return ()
        case str():
            return (value,)
        case list() if all(isinstance(each, str | Tokens) for each in value):
            return tuple(value)
    raise BadRequest("invalid input type")


def check_size(n_inputs: int, width: int) -> None:
    """Raises BadRequest where so many vectors of `width` numbers are more than an answer holds."""
    if n_inputs * width > MOST_NUMBERS:
        raise BadRequest(
            f"too many inputs: {n_inputs} vectors of {width} numbers each are more than an answer "
            f"may hold; send at most {MOST_NUMBERS // width} at a time"
        )


def normalize(vector: Vector) -> Vector:
    """The vector scaled to length 1; one of zeros stays. Raises BadRequest for NaN and Inf."""
    length = max(_length(vector), _LEAST_NORM)
    return array("f", [value / length for value in vector])


def shorten(vector: Vector, dimensions: int) -> Vector:
    """The first `dimensions` numbers, scaled to length 1 again; all where it has no more."""
    if not 0 < dimensions < len(vector):
        return vector
    return normalize(vector[:dimensions])


def _length(vector: Vector) -> float:
    length = math.hypot(*vector)
    if not math.isfinite(length):
        raise BadRequest(NOT_A_NUMBER)
    return length
