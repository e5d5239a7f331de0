"""One admitted generation: its tokens, what of them is in the KV cache, and what it has said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from puna.api.events import Logprob
from puna.errors import BadRequest, ContextExceeded
from puna.gaps import no_gaps
from puna.runner.batch import prompt_limit
from puna.runner.llama.sampler import Sampler
from puna.runner.media import Media
from puna.runner.protocol import Finished, Generation, Priority, StopReason
from puna.runner.spans import Span, position_of
from puna.runner.text import TextStream

__all__ = ["NO_ROOM", "Running", "fit_prompt"]

NO_ROOM = (
    "the prompt is longer than the context length currently available to the model; shorten the "
    "prompt, adjust the context length in settings, or use a model with a longer context length"
)


def fit_prompt(tokens: list[int], order: Generation, n_ctx: int, *, adds_bos: bool) -> list[int]:
    """Cut an over-long prompt as the order allows: the first `n_keep` tokens and the newest stay.

    Facts: prompting spec, section 2.4. Raises BadRequest when cutting is not allowed.
    """
    if not tokens:
        raise BadRequest("no input provided")
    if len(tokens) <= n_ctx - 1:
        return tokens
    if not order.truncate or not order.shift:
        raise ContextExceeded(NO_ROOM)
    keep = order.n_keep if order.n_keep < 0 else order.n_keep + adds_bos
    limit = prompt_limit(n_ctx, keep)
    keep = min(keep if keep >= 0 else limit, limit)
    if limit < 1:
        raise ContextExceeded(NO_ROOM)
    tail = limit - keep
    return tokens[:keep] + (tokens[-tail:] if tail else [])


@dataclass(slots=True, eq=False)
class Running:
    """A generation in the loop. `tokens` are all that the next decode builds on."""

    id: int
    order: Generation
    tokens: list[int]
    sampler: Sampler
    text: TextStream[Logprob]
    n_ctx: int
    n_keep: int
    max_tokens: int
    visible: Mapping[int, bytes] = field(default_factory=dict)
    """Control tokens that are part of the answer's text, and how they are written."""
    media: tuple[Media, ...] = ()
    """Its images and recordings, whose tokens are negative. Without any, positions are tokens
    counted."""
    spans: tuple[Span, ...] = ()
    """Where those are."""
    truncated: bool = False
    sequence: int = -1
    """The sequence of the KV cache it occupies; -1 while it waits."""
    n_cached: int = 0
    n_reused: int = 0
    """Tokens of the prompt that were in the cache already."""
    n_prompt: int = 0
    output: list[int] = field(default_factory=list)
    n_output: int = 0
    n_drafted: int = 0
    """Tokens that were guessed and computed; `n_accepted` of them were what was then drawn."""
    n_accepted: int = 0
    n_preempted: int = 0
    """How often its cells were taken for others."""
    followed: int = 0
    """The weight of the weightiest that waits for what it reads; 0 when nobody does."""
    arrived_ns: int = 0
    started_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    gaps: list[int] = field(default_factory=no_gaps)
    """Times between its tokens."""

    def __post_init__(self) -> None:
        self.n_prompt = len(self.tokens)
        self.spans = tuple(each.span for each in self.media)
        self._prompt = None
        if self.order.want_tokens:
            self._prompt = tuple(token for token in self.tokens if token >= 0)

    @property
    def priority(self) -> Priority:
        """How important it is against others."""
        return self.order.priority

    @property
    def client(self) -> str:
        """Who asked for it."""
        return self.order.client

    _prompt: tuple[int, ...] | None = None

    @property
    def pending(self) -> int:
        """Tokens that are not in the KV cache yet."""
        return len(self.tokens) - self.n_cached

    @property
    def readable(self) -> int:
        """Those of them that are tokens, up to the next image or recording."""
        if not self.media:
            return self.pending
        ahead = (each.start for each in self.media if each.end > self.n_cached)
        return max(0, next(ahead, len(self.tokens)) - self.n_cached)

    @property
    def due(self) -> Media | None:
        """The image or recording that is computed next, all tokens before it being in the KV
        cache."""
        found = next((each for each in self.media if each.end > self.n_cached), None)
        return found if found is not None and found.start <= self.n_cached else None

    def position(self, length: int) -> int:
        """The position of the token after the first `length`."""
        return position_of(self.spans, length) if self.spans else length

    @property
    def most_drafted(self) -> int:
        """How many guessed tokens are allowed, and have room in the answer and its context."""
        room = min(self.max_tokens - self.n_output - 1, self.n_ctx - len(self.tokens))
        return room if self.order.most_drafted < 0 else min(room, self.order.most_drafted)

    def finished(self, reason: StopReason) -> Finished:
        """The figures of the whole generation."""
        tokens = None
        if self._prompt is not None:
            tokens = self._prompt + tuple(self.output)
        return Finished(
            reason=reason,
            prompt_tokens=self.n_prompt,
            cached_tokens=self.n_reused,
            prompt_ns=max(0, (self.first_ns or self.last_ns) - self.started_ns),
            eval_tokens=self.n_output,
            eval_ns=max(0, self.last_ns - self.first_ns) if self.first_ns else 0,
            drafted_tokens=self.n_drafted,
            accepted_tokens=self.n_accepted,
            truncated=self.truncated,
            stop=self.text.stop,
            gaps=tuple(self.gaps),
            tokens=tokens,
        )
