"""What a model family's answers look like, as data: the modes that its text passes through.

`scanner.py` reads answers by it; a family is one file beside this one. Facts: prompting spec, 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from puna.prompt.parsers.declared import Function
from puna.prompt.parsers.lark import Lark
from puna.prompt.parsers.tools import Tools
from puna.prompt.parsers.watching import Watch
from puna.prompt.thinking import SPACE

__all__ = [
    "BadCall",
    "Body",
    "CallForm",
    "Family",
    "Fault",
    "Finder",
    "Found",
    "Kind",
    "Lead",
    "Mode",
    "Turn",
]

Found = tuple[str, dict[str, Any]]
"""A call: the function's name and its arguments."""


class BadCall(ValueError):
    """A text that should be a call spells none."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a call is read from."""

    text: str
    head: str
    """What stood before it in a `HEAD`."""
    tools: Tools
    is_cut: bool
    """The answer ended inside."""


Reader = Callable[[Body], Iterable[Found]]
"""Raises BadCall."""


class Kind(Enum):
    """What the text of a mode is."""

    CONTENT = auto()
    THINKING = auto()
    CALL = auto()  # collected, then read
    HEAD = auto()  # collected for the mode that follows
    GAP = auto()  # what stands between calls


class Fault(Enum):
    """What becomes of a call that cannot be read."""

    ERROR = auto()
    DROP = auto()
    TEXT = auto()  # it is content, as it was written


class Finder:
    """Looks for any of some tags, and for the beginning of one at the end of a text."""

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = sorted(tags, key=len, reverse=True)
        self._begun = {tag[:size] for tag in self._tags for size in range(1, len(tag))}
        self._longest = max(map(len, self._tags), default=1) - 1
        self._first = {tag[0] for tag in self._tags}
        any_tag = "|".join(map(re.escape, self._tags)) or r"(?!)"
        compiled = re.compile(any_tag)
        self.search, self.match = compiled.search, compiled.match

    def overlap(self, text: str) -> int:
        """The length of the longest end of `text` that begins a tag, without being all of it."""
        if self._first.isdisjoint(text):
            return 0
        begun = self._begun
        for size in range(min(len(text), self._longest), 0, -1):
            if text[-size:] in begun:
                return size
        return 0

    def is_begun(self, text: str) -> bool:
        """Whether all of `text` begins a tag."""
        return text in self._begun


@dataclass(frozen=True, slots=True)
class Mode:
    """A part of an answer: it lasts until one of its tags, which leads to another mode.

    With `otherwise` the mode has no text: it looks which tag comes first, if any. With `then` it
    lasts for one JSON value.
    """

    kind: Kind
    tags: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = ""
    then: str = ""
    unread: str = ""
    """Where it leads instead of `then` when the value was no call and is content."""
    trims: bool = True
    """White space beside its tags is no text."""
    blank: str = SPACE
    has_strings: bool = False
    """It is JSON: a tag inside of one of its strings is a part of that."""
    read: Reader | None = None
    watch: Watch | None = None
    """Tells of a call before it is whole."""
    bad: Fault | None = None
    """What becomes of this mode's calls that cannot be read, if not what the family says."""
    chooses: Callable[[str], str] | None = None
    """Which mode follows, by a HEAD's text."""
    finder: Finder = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "finder", Finder(self.tags))


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known when an answer begins."""

    think: bool = False
    has_tools: bool = False
    last: str = ""
    """The last message's role; `prefill` is an assistant's that has content, which goes on."""
    opens_thinking: bool | None = None
    """Whether the prompt ends with the family's opening tag; None where the family knows."""


@dataclass(frozen=True, slots=True)
class CallForm:
    """How calls are written, for a grammar that leaves nothing else.

    `call` adds the rules of one function's call to a grammar and gives the expression for it.
    """

    call: Callable[[Lark, Function], str]
    opening: str = ""
    """Text before all calls."""
    between: str = ""
    """The expression for what stands between two."""
    closing: str = ""
    is_single: bool = False
    """There is no more than one call in an answer."""
    is_json: bool = False
    """Calls begin as JSON does, so that no answer in JSON can be told from one."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What comes before content or calls: thoughts, up to and with `closing` and `after`.

    Without an `opening` the prompt has begun them already.
    """

    opening: str
    closing: str
    after: str = ""
    is_optional: bool = False
    never: tuple[str, ...] = ()
    """Texts that would end them otherwise."""


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of a family write their answers."""

    modes: Mapping[str, Mode]
    start: Callable[[Turn], str]
    has_tools: bool = True
    has_thinking: bool = False
    bad: Fault = Fault.DROP
    cut: Fault = Fault.DROP
    """Likewise for a call in which the answer ended."""
    shown: tuple[str, ...] = ()
    """Tags inside calls and heads."""
    hides_thinking: bool = False
    """Thoughts are dropped where none were asked for."""
    opening: str = ""
    """The tag at a prompt's end after which the answer begins with thoughts."""
    calls: CallForm | None = None
    lead: Callable[[Turn], Lead | None] | None = None
    """How thoughts are written, where the modes do not show it."""
    answers: tuple[tuple[str, str], ...] = (("", ""),)
    """Texts before and behind content: one of the pairs."""
    names: Callable[[Iterable[str]], dict[str, str]] | None = None
    """What tools are called in prompts and answers, where that is not as the request does."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The texts that must not be missing from an answer when they are control tokens."""
        known = (tag for mode in self.modes.values() for tag in mode.tags if len(tag) > 1)
        return tuple(dict.fromkeys((*known, *self.shown)))
