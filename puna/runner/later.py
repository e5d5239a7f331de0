"""Orders with a grammar or with media, prepared in threads of their own: compiling the one and
decoding the others may take seconds, and nobody else waits for that.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from puna.errors import PunaError
from puna.runner.llama.trial import STACK
from puna.runner.protocol import Generation
from puna.runner.running import Running

__all__ = ["Later", "has_grammar"]


def has_grammar(order: Generation) -> bool:
    """Whether the answer is held to something."""
    return bool(order.format or order.grammar or order.regex or order.outline)


class Later:
    """Prepares orders one after the other; each is admitted, refused, or forgotten when cancelled.

    `prepare` raises PunaError and nothing else, which `refuse` is told. All three are called from
    the thread.
    """

    def __init__(
        self,
        prepare: Callable[[int, Generation], Running],
        admit: Callable[[Running], None],
        refuse: Callable[[int, PunaError], None],
        name: str = "grammars",
    ) -> None:
        self._prepare = prepare
        self._admit = admit
        self._refuse = refuse
        self._waiting: queue.SimpleQueue[tuple[int, Generation]] = queue.SimpleQueue()
        self._wanted: set[int] = set()
        self._lock = threading.Lock()
        before = threading.stack_size(STACK)
        threading.Thread(target=self._work, name=name, daemon=True).start()
        threading.stack_size(before)

    def take(self, id: int, order: Generation) -> None:
        """Prepare an order when its turn comes."""
        with self._lock:
            self._wanted.add(id)
        self._waiting.put((id, order))

    def cancel(self, id: int) -> None:
        """Forget an order. After this it is not admitted any more; it may have been before."""
        with self._lock:
            self._wanted.discard(id)

    def _work(self) -> None:
        while True:
            id, order = self._waiting.get()
            if id not in self._wanted:
                continue
            try:
                running = self._prepare(id, order)
            except PunaError as error:
                self._fail(id, error)
            else:
                self._hand_over(id, running)

    def _fail(self, id: int, error: PunaError) -> None:
        with self._lock:
            self._wanted.discard(id)
        self._refuse(id, error)

    def _hand_over(self, id: int, running: Running) -> None:
        with self._lock:
            if id in self._wanted:
                self._wanted.discard(id)
                self._admit(running)
                return
        running.sampler.close()
