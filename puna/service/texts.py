"""What a model makes of texts besides answers and vectors: their tokens, and how well documents fit
a query.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from puna.api.texts import DetokenizeRequest, RerankRequest, TextRequest, TokenizeRequest
from puna.config import Settings
from puna.errors import BadRequest
from puna.metrics import Operation
from puna.runner.protocol import Embedding
from puna.scheduler.clock import Clock
from puna.scheduler.lease import Lease
from puna.scheduler.loop import Scheduler
from puna.service.catalog import Catalog
from puna.service.prepare import check_priority, check_runnable, make_need, make_options, plan_load
from puna.service.work import Work, leased

__all__ = ["Ranked", "Texts", "read_documents"]


MOST_TEXT = 2**20
"""Characters that are cut into tokens for a client: the list of them is many times as large."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The documents, the best first: each one's place in the request, and its score."""

    results: list[tuple[int, float]]
    documents: tuple[str, ...]
    prompt_tokens: int


class Texts:
    """Answers requests about texts."""

    def __init__(
        self, catalog: Catalog, scheduler: Scheduler, clock: Clock, settings: Settings
    ) -> None:
        self._catalog = catalog
        self._scheduler = scheduler
        self._clock = clock
        self._settings = settings

    async def rerank(self, order: RerankRequest) -> Ranked:
        """How well each document fits the query, from 0 to 1; all, or the best `top_n`."""
        if not order.query:
            raise BadRequest("query is required")
        if order.top_n is not None and order.top_n < 1:
            raise BadRequest("top_n must be at least 1")
        priority = check_priority(order.priority)
        documents = read_documents(order.documents)
        async with self._model(order, "rerank") as (lease, work):
            n_ctx = lease.engine.info.n_ctx
            asked = Embedding(
                inputs=documents,
                query=order.query,
                n_ctx=n_ctx,
                priority=priority,
                client=order.client,
            )
            read = await lease.engine.embed(asked)
            work.read(sum(read.tokens))
        scores = [_score(array("f", raw)) for raw in read.vectors]
        best = sorted(enumerate(scores), key=lambda each: -each[1])[: order.top_n]
        return Ranked(best, documents, sum(read.tokens))

    async def tokenize(self, order: TokenizeRequest) -> list[int]:
        """The tokens of a text; control tokens that it spells are tokens. Raises BadRequest."""
        if len(order.text) > MOST_TEXT:
            raise BadRequest(f"text has more than {MOST_TEXT} characters")
        async with self._model(order, "tokenize") as (lease, _):
            return await lease.engine.tokenize(order.text)

    async def detokenize(self, order: DetokenizeRequest) -> str:
        """The text of tokens. Raises BadRequest for one that the model does not have."""
        async with self._model(order, "detokenize") as (lease, _):
            return await lease.engine.detokenize(order.tokens)

    @asynccontextmanager
    async def _model(
        self, order: TextRequest, operation: Operation
    ) -> AsyncIterator[tuple[Lease, Work]]:
        """Wait for the model."""
        started = self._clock.now()
        if not order.model.strip():
            raise BadRequest("model is required")
        entry = await self._catalog.find(order.model)
        check_runnable(entry, order.model)
        options = make_options(entry, order.options)
        plan = plan_load(entry, options, self._settings)
        need = make_need(entry, plan, order)
        async with leased(self._scheduler, self._clock, need, operation, started) as use:
            yield use


def read_documents(value: Any) -> tuple[str, ...]:
    """The texts of `documents`. Raises BadRequest."""
    if not isinstance(value, list) or not value:
        raise BadRequest("documents must be a list of texts that is not empty")
    return tuple(map(_document, value))


def _document(value: Any) -> str:
    match value:
        case str(text) | {"text": str(text)}:
            return text
    raise BadRequest('a document must be a text, or an object with a "text"')


def _score(scores: Sequence[float]) -> float:
    """A head with one output gives a logit; one with more gives probabilities, "yes" first.

    Raises BadRequest for NaN.
    """
    score = scores[0]
    if math.isnan(score):
        raise BadRequest("the model's score is not a number")
    if len(scores) > 1:
        return score
    return 1 / (1 + math.exp(-score)) if score > -700 else 0.0
