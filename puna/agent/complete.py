"""What is proposed in the agent's line: commands after `/`, files of the folder after `@`.

Facts: CLI spec, section 5.4.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from puna.agent.fence import Fence, Refused

__all__ = ["AgentCompleter"]

_MOST_FILES = 2000  # entries of a folder that are looked at


class AgentCompleter(Completer):
    """Files after `@`, and what `others` completes; while one types, only names of commands."""

    def __init__(self, others: Completer, fence: Callable[[], Fence]) -> None:
        self._others = others
        self._fence = fence

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """The completions of the word before the cursor."""
        text = document.text_before_cursor
        word = text[max(text.rfind(" "), text.rfind("\n")) + 1 :]
        if word.startswith("@"):
            for path in _paths(self._fence(), word[1:]):
                yield Completion(path, 1 - len(word))
        elif complete_event.completion_requested or (text.startswith("/") and text == word):
            yield from self._others.get_completions(document, complete_event)


def _paths(fence: Fence, word: str) -> Iterator[str]:
    """Files and folders inside whose path begins so; hidden ones after a dot only."""
    folder, slash, start = word.rpartition("/")
    try:
        place = fence.find_inside(folder or ".")
        with os.scandir(place) as entries:
            found = sorted(
                each.name + ("/" if each.is_dir(follow_symlinks=False) else "")
                for each in islice(entries, _MOST_FILES)
                if each.name.startswith(start)
                and each.name.isprintable()
                and (start.startswith(".") or not each.name.startswith("."))
            )
    except (OSError, Refused):
        return
    yield from (f"{folder}{slash}{name}" for name in found)
