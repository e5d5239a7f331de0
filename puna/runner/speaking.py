"""What generations say: tokens are drawn, guesses compared with them, words delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from puna.api.events import Logprob
from puna.gaps import gap_place
from puna.runner.cells import Cells
from puna.runner.llama.context import Context
from puna.runner.llama.logprobs import logprob_of
from puna.runner.llama.model import Model
from puna.runner.protocol import Piece, StopReason
from puna.runner.running import Running
from puna.runner.wire import Ended, Refused, Said, Step

__all__ = ["Speaking"]

_TOGETHER_NS = 8_000_000
"""Words of one stream that come faster than this go out together: whoever receives them takes
processor time from the engine at each delivery, and nobody reads faster."""


class Speaking:
    """The draws of a loop, and what of them is not delivered yet."""

    def __init__(
        self,
        model: Model,
        context: Context,
        cells: Cells,
        deliver: Callable[[Step | Refused], None],
        clock: Callable[[], int],
    ) -> None:
        self._model = model
        self._context = context
        self._cells = cells
        self._deliver = deliver
        self._clock = clock
        self._step = Step([], [])
        self._told_ns = 0  # when something was delivered last

    def is_due(self, running: Sequence[Running]) -> bool:
        """Whether what there is to say must not wait for what the next decode brings: ends, the
        first words of somebody, and all before a decode that reads a prompt."""
        return bool(
            self._step.ended
            or self._clock() - self._told_ns >= _TOGETHER_NS
            or any(each.pending != 1 or each.n_output <= 1 for each in running)
        )

    def tell(self) -> None:
        """Deliver what is there to say."""
        if self._step.said or self._step.ended:
            step, self._step = self._step, Step([], [])
            self._told_ns = self._clock()
            self._deliver(step)

    def go_on(self, each: Running, index: int, draft: Sequence[int]) -> StopReason | None:
        """Draw the next token, and the one after each guess that was right; returns why the
        generation ends, if it does. Logits of the first are those of `index` in the batch."""
        right = 0
        reason = self._sample(each, index)
        for guess in draft:
            if reason is not None or each.tokens[-1] != guess:
                break
            right += 1
            reason = self._sample(each, index + right)
        if draft:
            self._settle(each, draft, right)
        return reason

    def end(self, each: Running, reason: StopReason) -> None:
        """Say what was held back, and that this was all."""
        self._say(each, *each.text.flush())
        self.close(each, reason)

    def close(self, each: Running, reason: StopReason) -> None:
        """Say that this was all."""
        self._step.ended.append(Ended(each.id, each.finished(reason)))

    def _settle(self, each: Running, draft: Sequence[int], right: int) -> None:
        """Keep the cells of the guesses that were right, and those only."""
        self._cells.grow(each.sequence, draft[:right])
        each.n_cached += right
        each.n_drafted += len(draft)
        each.n_accepted += right
        if right < len(draft):
            each.n_cached = self._cells.reject(each.sequence, each.n_cached)

    def _sample(self, each: Running, index: int) -> StopReason | None:
        """Draw a token and say it; returns why the generation ends, if it does."""
        now = self._clock()
        if each.n_output:
            each.gaps[gap_place(now - each.last_ns)] += 1
        each.last_ns = now
        if each.max_tokens == 0:
            return "length"
        each.first_ns = each.first_ns or now
        wants_logprobs = each.order.top_logprobs is not None
        logits = self._context.logits(index).copy() if wants_logprobs else None
        token = each.sampler.sample(self._context, index)
        each.n_output += 1
        each.output.append(token)
        if self._model.is_end(token):
            return "stop"
        tag = None
        if logits is not None:
            tag = logprob_of(self._model, logits, token, each.order.top_logprobs or 0)
        each.tokens.append(token)
        piece = each.visible.get(token) or self._model.piece(token)
        self._say(each, *each.text.push(piece, tag))
        if each.text.stopped:
            return "stop"
        return "length" if each.n_output >= each.max_tokens > 0 else None

    def _say(self, each: Running, text: str, tags: tuple[Logprob, ...]) -> None:
        if text or tags:
            self._step.said.append(Said(each.id, Piece(text, tags)))
