"""The images and recordings of a generation, and the thread that encodes them.

Encoding takes as long as many decodes. It has a thread of its own, so that others' answers go on,
and its results are kept for whoever shows the same file again.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from puna.errors import EngineError
from puna.runner.llama.projector import Chunk, Projector, Vectors
from puna.runner.spans import Span

__all__ = ["Encoder", "Media", "Seen"]

_CACHE = (
    256 * 1024 * 1024
)  # bytes of vectors kept: of 100 images with 1,000 tokens in a small model


@dataclass(slots=True, eq=False)
class Media:
    """A chunk of an image or a recording, whose tokens begin at `start`."""

    start: int
    chunk: Chunk
    vectors: Vectors | None = None
    """What the encoder made of it, while it is needed."""
    is_asked: bool = False
    """Whether the encoder was asked and has not answered."""

    @property
    def end(self) -> int:
        """Where the tokens after it begin."""
        return self.start + self.chunk.count

    @property
    def span(self) -> Span:
        """Its place."""
        return Span(self.start, self.end, self.chunk.n_positions)


@dataclass(frozen=True, slots=True)
class Seen:
    """The encoder's answer for a generation: vectors, or what went wrong."""

    id: int
    media: Media
    vectors: Vectors | None
    error: EngineError | None = None


class Encoder:
    """Encodes chunks one after the other; `deliver` gets the answers, called from its thread."""

    def __init__(
        self, projector: Projector, deliver: Callable[[Seen], None], cache_bytes: int = _CACHE
    ) -> None:
        self._projector = projector
        self._deliver = deliver
        self._room = cache_bytes
        self._cache: OrderedDict[int, Vectors] = OrderedDict()  # least recently used first
        self._waiting: queue.SimpleQueue[tuple[int, Media]] = queue.SimpleQueue()
        self._left: set[int] = set()
        self.n_encoded = 0
        """How many chunks were not in the cache."""
        threading.Thread(target=self._work, name="encoder", daemon=True).start()

    def ask(self, id: int, media: Media) -> None:
        """Have a chunk encoded for a generation. It is answered once, unless `forget` comes."""
        media.is_asked = True
        self._waiting.put((id, media))

    def forget(self, id: int) -> None:
        """The generation ended: what it asked for need not be encoded any more."""
        self._left.add(id)

    def _work(self) -> None:
        while True:
            id, media = self._waiting.get()
            if id not in self._left:
                self._deliver(self._answer(id, media))
            if self._waiting.empty():
                self._left.clear()

    def _answer(self, id: int, media: Media) -> Seen:
        try:
            return Seen(id, media, self._vectors(media.chunk))
        except EngineError as error:
            return Seen(id, media, None, error)

    def _vectors(self, chunk: Chunk) -> Vectors:
        found = self._cache.pop(chunk.key, None)
        if found is None:
            found = self._projector.encode(chunk)
            self.n_encoded += 1
            self._room -= found.nbytes
        self._cache[chunk.key] = found
        while self._room < 0:
            self._room += self._cache.popitem(last=False)[1].nbytes
        return found
