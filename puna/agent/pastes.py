"""Long pastes, dropped images and recordings as short marks in the line, until it is sent.

Facts: CLI spec, section 5.4.
"""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["Pastes"]

_MANY_CHARACTERS = 1000
_MANY_LINES = 8
_MARK = re.compile(r"\[(?:Pasted text #\d+ \+\d+ lines?|(?:Image|Audio) #\d+)\]")


class Pastes:
    """What the marks of this run stand for."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._count = {"text": 0, "Image": -1, "Audio": -1}

    def fold(self, pasted: str) -> str:
        """A mark for a long text; a short one stays as it is."""
        text = pasted.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + 1
        if len(text) < _MANY_CHARACTERS and lines < _MANY_LINES:
            return text
        self._count["text"] += 1
        noun = "line" if lines == 1 else "lines"
        return self._keep(f"[Pasted text #{self._count['text']} +{lines} {noun}]", text)

    def fold_file(self, path: str, kind: Literal["Image", "Audio"]) -> str:
        """A mark for the path of an image or a recording."""
        self._count[kind] += 1
        return self._keep(f"[{kind} #{self._count[kind]}]", path)

    def _keep(self, mark: str, text: str) -> str:
        self._texts[mark] = text
        return mark

    def expand(self, line: str) -> str:
        """The line with what its marks stand for; marks that nobody made stay."""
        return _MARK.sub(lambda found: self._texts.get(found[0], found[0]), line)

    def mark_before(self, line: str, at: int) -> int:
        """How many characters the mark has that ends at this place, 0 where none does."""
        return next((len(m[0]) for m in self._marks(line) if m.end() == at), 0)

    def mark_after(self, line: str, at: int) -> int:
        """How many characters the mark has that begins at this place, 0 where none does."""
        return next((len(m[0]) for m in self._marks(line) if m.start() == at), 0)

    def _marks(self, line: str) -> list[re.Match[str]]:
        return [found for found in _MARK.finditer(line) if found[0] in self._texts]
