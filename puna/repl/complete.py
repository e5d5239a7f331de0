"""What Tab completes in the prompt: commands, their arguments, models, and paths of files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from puna.errors import ClientError

__all__ = ["PromptCompleter", "candidates"]

Topics = dict[str, tuple[str, ...]]
"""What may follow a command: a command line's beginning, and the words after it."""

_MOST_FILES = 2000  # entries of a folder that are looked at
_LAST_WORD = re.compile(r"(?:\\.|[^\s\\])*$")
_SPECIAL = re.compile(r"([ ()\[\]{}$&;'\\*?])")


class PromptCompleter(Completer):
    """Completes at the cursor.

    `commands` and `models` say which there are, and are asked each time; `topics` has the
    words after a command, with those that take a model under `models_after`.
    """

    def __init__(
        self,
        commands: Callable[[], Iterable[str]],
        topics: Topics,
        models_after: Iterable[str],
        models: Callable[[], list[str]],
    ) -> None:
        self._commands = commands
        self._topics = topics
        self._models_after = frozenset(models_after)
        self._models = models

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """The completions of the word before the cursor."""
        text = document.text_before_cursor
        word = _last_word(text)
        before = " ".join(text[: len(text) - len(word)].split())
        if text.startswith("/") and not before:
            known: Iterable[str] = self._commands()
        elif before in self._models_after:
            known = self._model_names()
        else:
            known = self._topics.get(before, ())
        for choice in candidates(word, known):
            yield Completion(choice, -len(word))

    def _model_names(self) -> list[str]:
        try:
            return self._models()
        except ClientError:
            return []


def candidates(word: str, known: Iterable[str]) -> list[str]:
    """Those of the known words that `word` begins, or else the paths that it begins."""
    found = sorted({each for each in known if each.startswith(word)})
    return found or list(_paths(word))


def _last_word(text: str) -> str:
    found = _LAST_WORD.search(text)
    return found[0] if found else ""


def _paths(word: str) -> Iterator[str]:
    """Files and folders whose path begins so; blanks are escaped, as shells do."""
    if not word.startswith(("/", "./", "../", "~/")):
        return
    folder, slash, start = word.rpartition("/")
    place = Path(re.sub(r"\\(.)", r"\1", folder + slash)).expanduser()
    start = re.sub(r"\\(.)", r"\1", start)
    try:
        with os.scandir(place) as entries:
            found = [
                each.name + ("/" if each.is_dir() else "")
                for each in islice(entries, _MOST_FILES)
                if each.name.startswith(start) and (start or not each.name.startswith("."))
            ]
    except (OSError, ValueError):
        return
    for name in sorted(found):
        if name.isprintable():
            yield folder + slash + _SPECIAL.sub(r"\\\1", name)
