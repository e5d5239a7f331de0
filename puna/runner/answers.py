"""What a runner answers, at the parent's side: the events of a generation, and its refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from puna.errors import BadRequest, ContextExceeded, EngineError, PunaError
from puna.runner.inbox import Inbox
from puna.runner.protocol import Finished, TokenEvent
from puna.runner.wire import Embedded, Refused, Text, Tokens

__all__ = ["Answer", "Events", "as_error", "as_refusal"]

Answer = TokenEvent | Embedded | Tokens | Text | PunaError


class Events:
    """The events of one generation, in order."""

    def __init__(self, inbox: Inbox[Answer], finish: Callable[[], None]) -> None:
        self._inbox = inbox
        self._finish = finish
        self._is_enough = False
        self.ended = False

    def finish(self) -> None:
        """See protocol.TokenEvents."""
        if not self.ended and not self._is_enough:
            self._is_enough = True
            self._finish()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TokenEvent:
        if self.ended:
            raise StopAsyncIteration
        event = await self._inbox.get()
        if isinstance(event, PunaError):
            self.ended = True
            raise event
        if isinstance(event, Embedded | Tokens | Text):
            raise EngineError("the runner mixed up its answers")
        self.ended = isinstance(event, Finished)
        return event


def as_error(answer: Answer) -> PunaError:
    """What went wrong, where another answer was hoped for."""
    return answer if isinstance(answer, PunaError) else EngineError("the runner gave no answer")


def as_refusal(refused: Refused) -> PunaError:
    """The error of ours that a runner's refusal stands for."""
    if refused.code == ContextExceeded.code:
        return ContextExceeded(refused.message)
    kind = BadRequest if 400 <= refused.status < 500 else EngineError
    return kind(refused.message)
