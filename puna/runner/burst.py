"""Prompts that come together, although one of them was read before the others were there.

Whoever is alone is read at once. Before its first word is drawn there is a look at who came
meanwhile: beside somebody who speaks prompts are read slowly, so that nobody's words falter, and
all of them together would have to wait for the one that came a moment earlier. It costs two tokens
to read its end again, with theirs.
"""

from __future__ import annotations

from collections.abc import Collection

from puna.runner.queueing import weight
from puna.runner.reading import TAIL, TURN
from puna.runner.running import Running

__all__ = ["has_company", "may_have_company"]

_LEAST = 8  # tokens: whoever has read fewer in its newest decode has waited, or is no trouble


def may_have_company(reader: Running, n_read: int, running: Collection[Running]) -> bool:
    """Whether a prompt, `n_read` tokens of which were computed last and the end with them, may wait
    for others, if they come before its first word is drawn."""
    return (
        n_read > _LEAST
        and reader.n_cached - reader.n_reused <= TURN
        and reader.max_tokens > 1
        and not any(each.n_output or each.media for each in running)
    )


def has_company(reader: Running, n_read: int, running: Collection[Running]) -> bool:
    """Whether somebody as important has come who has no more to read than this one had."""
    return any(
        each.n_cached <= each.n_reused
        and TAIL < each.pending <= n_read
        and weight(each.priority) >= weight(reader.priority)
        for each in running
    )
