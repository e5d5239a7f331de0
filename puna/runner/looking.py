"""What the loop does with images and recordings, to which the same applies: have them encoded, and
compute some of one beside each decode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from puna.errors import EngineError
from puna.runner.cells import Cells
from puna.runner.llama.context import Context, Decoded
from puna.runner.llama.projector import Vectors
from puna.runner.media import Encoder, Media, Seen
from puna.runner.running import Running

__all__ = ["Eyes", "Glimpse"]

_BESIDE = 128  # tokens of a medium in one decode, while others wait for their next words


@dataclass(frozen=True, slots=True)
class Glimpse:
    """`count` tokens of an image or a recording, the first of them its token `start`."""

    generation: Running
    media: Media
    vectors: Vectors
    start: int
    count: int


class Eyes:
    """The media of all generations of a loop. Not thread-safe: it belongs to the loop."""

    def __init__(self, encoder: Encoder, context: Context, cells: Cells) -> None:
        self._encoder = encoder
        self._context = context
        self._cells = cells

    def begin(self, each: Running) -> None:
        """Have encoded what of its media the cells do not have."""
        for media in each.media:
            if media.start >= each.n_cached and media.vectors is None and not media.is_asked:
                self._encoder.ask(each.id, media)

    def end(self, each: Running) -> None:
        """Its media are not needed any more."""
        if any(media.is_asked for media in each.media):
            self._encoder.forget(each.id)

    def take(self, seen: Seen, present: Iterable[Running]) -> tuple[Running, EngineError] | None:
        """Give what was encoded to its generation, if that is still present; returns what
        failed."""
        seen.media.is_asked = False
        for each in present:
            if each.id == seen.id:
                seen.media.vectors = seen.vectors
                return (each, seen.error) if seen.error else None
        return None

    def next(self, running: Sequence[Running]) -> Glimpse | None:
        """What is to be computed now, None where nothing is due and encoded."""
        for each in running:
            media = each.due if each.media else None
            if media is not None and media.vectors is not None:
                start = each.n_cached - media.start
                count = media.chunk.count - start
                if not media.chunk.is_whole:
                    most = self._context.n_batch if len(running) == 1 else _BESIDE
                    count = min(count, most)
                return Glimpse(each, media, media.vectors, start, count)
        return None

    def decode(self, glimpse: Glimpse) -> Decoded:
        """Compute it, for which there must be room in the cells. Raises EngineError.

        The last token of a prompt gets logits, which have index `count` - 1.
        """
        each, media = glimpse.generation, glimpse.media
        end = glimpse.start + glimpse.count
        result = self._context.decode_vectors(
            each.sequence,
            glimpse.vectors[glimpse.start : end],
            media.chunk.places(each.position(media.start))[:, glimpse.start : end],
            whole=media.chunk.is_whole,
            logits=each.pending == glimpse.count,
        )
        if result is Decoded.OK:
            self._cells.grow(each.sequence, [media.chunk.key] * glimpse.count)
            each.n_cached += glimpse.count
            if each.n_cached == media.end:
                media.vectors = None
        return result
