"""From token bytes to text that can be shown: whole characters, and nothing of a stop word.

Facts: prompting spec, section 7.4; serving spec, section 6.6.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["TextStream"]

Tag = TypeVar("Tag")


class TextStream(Generic[Tag]):
    """Holds back what may still become a character or a stop word.

    Every token may carry a tag (its log probability); tags come out with the text they belong to,
    and those of a cut stop word not at all.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._sent = 0  # characters given out so far
        self._tags: list[tuple[int, int, Tag]] = []  # start, end in characters of the whole text
        self.stop = ""
        """The stop word that was found; then nothing more is accepted or given out."""

    @property
    def stopped(self) -> bool:
        """Whether a stop word was found."""
        return bool(self.stop)

    def push(self, piece: bytes, tag: Tag | None = None) -> tuple[str, tuple[Tag, ...]]:
        """Add a token's bytes; return the text that can go out now, and its tags."""
        if self.stopped:
            return "", ()
        start = self._sent + len(self._held)
        # a stop word found now must end in the new text, so the search starts just before it
        searched = len(self._held)
        self._held += self._decoder.decode(piece)
        if tag is not None:
            self._tags.append((start, self._sent + len(self._held), tag))
        found = self._first_stop(searched)
        if found is not None:
            cut, self.stop = found
            return self._cut(cut)
        return self._give(len(self._held) - self._overlap())

    def flush(self) -> tuple[str, tuple[Tag, ...]]:
        """End the text: what was held for a stop word goes out, half a character does not."""
        if self.stopped:
            return "", ()
        text, tags = self._give(len(self._held))
        rest = tuple(tag for _, _, tag in self._tags)
        self._tags.clear()
        return text, tags + rest

    def _first_stop(self, searched: int) -> tuple[int, str] | None:
        """The position of the first stop word, and the word; of several there, the longest."""
        found = [
            (position, stop)
            for stop in self._stops
            if (position := self._held.find(stop, max(0, searched - len(stop) + 1))) >= 0
        ]
        return min(found, key=lambda each: (each[0], -len(each[1])), default=None)

    def _overlap(self) -> int:
        """How many characters at the end could be the beginning of a stop word."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._held)), longest, -1):
                if self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest

    def _give(self, count: int) -> tuple[str, tuple[Tag, ...]]:
        if not count:
            return "", ()
        text, self._held = self._held[:count], self._held[count:]
        self._sent += count
        ready = tuple(tag for _, end, tag in self._tags if end <= self._sent)
        self._tags = [entry for entry in self._tags if entry[1] > self._sent]
        return text, ready

    def _cut(self, position: int) -> tuple[str, tuple[Tag, ...]]:
        end = self._sent + position
        text, self._held = self._held[:position], ""
        kept = tuple(tag for start, _, tag in self._tags if start < end)
        self._tags.clear()
        return text, kept
