"""Who may call what: one question for a batch of calls, and what was allowed for the session.

Facts: CLI spec, section 5.3.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["DENIED", "Approvals", "Ask", "Choice", "Wish", "always_text", "visible"]

DENIED = "Tool execution denied."


class Choice(Enum):
    """What the user says to a batch of calls."""

    ONCE = "Approve once"
    ALWAYS = "Always allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that wants approval: what it does in words, and what an `always` covers.

    `grant` is what is remembered, and `covers` says it to people; both are empty where each call
    must be asked for. `tool` is the name that `--allow` takes.
    """

    tool: str
    text: str
    grant: str = ""
    covers: str = ""


@dataclass(slots=True)
class Approvals:
    """What is allowed: tools by name from the start, grants of this session, or everything."""

    tools: frozenset[str] = frozenset()
    has_full_access: bool = False
    _grants: set[str] = field(default_factory=set)

    def allows(self, wish: Wish) -> bool:
        """Whether a call needs no question. A call without a grant always needs one in review."""
        if self.has_full_access:
            return True
        return bool(wish.grant) and (wish.tool in self.tools or wish.grant in self._grants)

    def decide(self, wishes: Sequence[Wish], ask: Ask) -> bool:
        """Whether a batch may be carried out; asks once about those that need it."""
        open_ones = [wish for wish in wishes if not self.allows(wish)]
        if not open_ones:
            return True
        choice = ask(open_ones, self)
        if choice is Choice.ALWAYS:
            self._grants |= {wish.grant for wish in open_ones if wish.grant}
        return choice is not Choice.DENY

    def set_full_access(self, on: bool) -> None:
        """Switch between full access and review; going back forgets what was granted."""
        self.has_full_access = on
        if not on:
            self.forget()

    def forget(self) -> None:
        """Take back what was granted in this session."""
        self._grants.clear()


Ask = Callable[[Sequence[Wish], Approvals], Choice]
"""Asks the user about a batch. The answer may also be to change what is allowed."""


def always_text(wishes: Sequence[Wish]) -> str:
    """The second choice in words; empty if no call of the batch can be allowed for good."""
    covered = list(dict.fromkeys(wish.covers for wish in wishes if wish.grant))
    if not covered:
        return ""
    return f"{Choice.ALWAYS.value} {covered[0] if len(covered) == 1 else 'these requests'}"


def visible(text: str) -> str:
    """Text from a model in which nothing hides: what has no shape of its own becomes a code."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char)[0] != "C" else f"\\u{ord(char):04x}"
        for char in text
    )
