"""Requests that take long to prepare, in threads of their own: to compile a grammar, to decode an
image, to cut a long text into tokens may take seconds, and nobody else waits for that.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from puna.errors import PunaError
from puna.runner.llama.trial import STACK
from puna.runner.protocol import Generation
from puna.runner.wire import Admit, Embed, Tokenize, ToRunner

__all__ = ["Later", "has_grammar", "has_long_text"]

Asked = TypeVar("Asked")
Made = TypeVar("Made")

_LONG = 64 * 1024
"""Characters. To cut so many takes some hundredths of a second."""


def has_grammar(order: Generation) -> bool:
    """Whether the answer is held to something."""
    return bool(order.format or order.grammar or order.regex or order.outline)


def has_long_text(message: ToRunner) -> bool:
    """Whether there is much to cut into tokens."""
    match message:
        case Admit(order=order):
            return len(order.prompt) > _LONG
        case Embed(order=order):
            return sum(map(len, order.inputs)) > _LONG
        case Tokenize(text=text):
            return len(text) > _LONG
    return False


class Later(Generic[Asked, Made]):
    """Prepares what is asked one after the other; each is admitted, refused, or forgotten when
    cancelled.

    `prepare` raises PunaError and nothing else, which `refuse` is told. `drop` gets what was made
    and nobody wants any more. All are called from the thread.
    """

    def __init__(
        self,
        prepare: Callable[[int, Asked], Made],
        admit: Callable[[Made], None],
        refuse: Callable[[int, PunaError], None],
        drop: Callable[[Made], None],
        name: str = "grammars",
    ) -> None:
        self._prepare = prepare
        self._admit = admit
        self._refuse = refuse
        self._drop = drop
        self._waiting: queue.SimpleQueue[tuple[int, Asked]] = queue.SimpleQueue()
        self._wanted: set[int] = set()
        self._lock = threading.Lock()
        before = threading.stack_size(STACK)
        threading.Thread(target=self._work, name=name, daemon=True).start()
        threading.stack_size(before)

    def take(self, id: int, order: Asked) -> None:
        """Prepare it when its turn comes."""
        with self._lock:
            self._wanted.add(id)
        self._waiting.put((id, order))

    def cancel(self, id: int) -> None:
        """Forget it. After this it is not admitted any more; it may have been before."""
        with self._lock:
            self._wanted.discard(id)

    def _work(self) -> None:
        while True:
            id, order = self._waiting.get()
            if id not in self._wanted:
                continue
            try:
                made = self._prepare(id, order)
            except PunaError as error:
                self._fail(id, error)
            else:
                self._hand_over(id, made)

    def _fail(self, id: int, error: PunaError) -> None:
        with self._lock:
            self._wanted.discard(id)
        self._refuse(id, error)

    def _hand_over(self, id: int, made: Made) -> None:
        with self._lock:
            if id in self._wanted:
                self._wanted.discard(id)
                self._admit(made)
                return
        self._drop(made)
