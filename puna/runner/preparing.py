"""An order before the engine's thread gets it: its tokens, media, grammar and sampler are made.
Media are measured here, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from puna.errors import BadRequest, EngineError, PunaError
from puna.runner.llama.grammar import Grammars
from puna.runner.llama.model import Model
from puna.runner.llama.sampler import Sampler
from puna.runner.protocol import Generation
from puna.runner.running import Running, fit_prompt
from puna.runner.senses import SensedPrompt, Senses
from puna.runner.text import TextStream

__all__ = ["Preparation"]

log = logging.getLogger(__name__)

_PREDICT_FACTOR = 10  # an unbounded answer ends after ten contexts (prompting spec, section 2.4)


class Preparation:
    """Prepares orders for a model. Safe to use from several threads."""

    def __init__(self, model: Model, n_ctx: int, senses: Callable[[], Senses]) -> None:
        """`senses` says what reads images and recordings, and raises BadRequest where the model
        has no projector."""
        self._model = model
        self._n_ctx = n_ctx
        self._senses = senses
        self._grammars = Grammars(model)

    def prepare(self, id: int, order: Generation) -> Running:
        """The order, ready to be admitted. Raises PunaError: what nobody expected becomes an
        EngineError, which ends this order and nobody else's."""
        with _answered("the request could not be prepared"):
            return self._prepare(id, order)

    def measure(self, files: Sequence[bytes]) -> list[int]:
        """How many tokens each image or recording has; errors as of `prepare`."""
        with _answered("the files could not be measured"):
            return self._senses().measure(files)

    def _prepare(self, id: int, order: Generation) -> Running:
        n_ctx = min(order.n_ctx, self._n_ctx)
        for token in order.prefix:
            if not 0 <= token < self._model.n_vocab:
                raise BadRequest(f"token {token} is not in the model's vocabulary")
        read = self._read_prompt(order, n_ctx)
        whole = [*order.prefix, *read.tokens]
        tokens = fit_prompt(whole, order, n_ctx, adds_bos=self._model.adds_bos)
        n_keep = len(tokens) if order.n_keep < 0 else order.n_keep + self._model.adds_bos
        sampler = Sampler(self._model, order.sampling, self._grammars.matcher(order), n_ctx)
        sampler.remember([token for token in tokens[-n_ctx:] if token >= 0])
        limit = _PREDICT_FACTOR * n_ctx
        return Running(
            id=id,
            order=order,
            tokens=tokens,
            sampler=sampler,
            text=TextStream(order.stop),
            n_ctx=n_ctx,
            n_keep=min(n_keep, n_ctx - 1),
            max_tokens=order.max_tokens if 0 <= order.max_tokens <= limit else limit,
            visible=self._model.control_tokens(order.visible),
            media=read.media,
            truncated=read.is_shrunk or len(tokens) < len(whole),
        )

    def _read_prompt(self, order: Generation, n_ctx: int) -> SensedPrompt:
        """A prompt's tokens and media. An earlier answer's tokens begin with BOS already."""
        if order.images:
            prompt, start = self._model.without_bos(order.prompt), len(order.prefix)
            return self._senses().read(
                prompt, order.images, with_bos=not start, start=start, n_ctx=n_ctx
            )
        if order.prefix:
            tokens = self._model.tokenize(order.prompt, add_special=False, parse_special=True)
        else:
            tokens = self._model.tokenize_prompt(order.prompt)
        return SensedPrompt(tokens, ())


@contextmanager
def _answered(complaint: str) -> Iterator[None]:
    """What nobody expected becomes an error that a client is told."""
    try:
        yield
    except PunaError:
        raise
    except Exception as error:
        log.exception(complaint)
        raise EngineError(f"{complaint}: {error!r}") from error
