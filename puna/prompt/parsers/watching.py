"""Calls told of while they are written: the name, then the arguments' JSON piece by piece.

A watcher sees the text that is collected for one call. What it tells is never taken back, so it
waits until the function is known and its arguments begin as an object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from puna.prompt.parsers.tools import Tools

__all__ = ["Watch", "Watcher", "watch_json", "watch_named"]

Told = tuple[str, str]
"""The function's name, and more of its arguments."""

_MARKS = re.compile(r'\\.|["{}]', re.DOTALL)
_LATEST = 2000  # characters before the arguments begin; then the call is told of when it is whole
_STRING = r'"(?:[^"\\]|\\.)*"'


class Watcher(Protocol):
    """Watches one call."""

    def push(self, text: str) -> Told | None:
        """What more text tells; the first time with empty arguments perhaps."""


Watch = Callable[[str, Tools], Watcher]
"""Makes the watcher of a call, by the head before it and the tools."""

Find = Callable[[str, Tools], tuple[str, int] | None]
"""Finds a declared function's name in the beginning of a call, and where its arguments begin."""


class _Arguments:
    """The first object in a text that comes in pieces, up to its last brace."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = ""
        self._is_over = False

    def take(self, text: str) -> str:
        """What belongs to it."""
        if self._is_over:
            return ""
        text, self._escaped = self._escaped + text, ""
        end = len(text)
        last = 0
        for mark in _MARKS.finditer(text):
            last = mark.end()
            if mark[0] == '"':
                self._quoted = not self._quoted
            elif not self._quoted and mark[0] in "{}":
                self._depth += 1 if mark[0] == "{" else -1
                if not self._depth:
                    self._is_over = True
                    return text[: mark.end()]
        if text.endswith("\\") and last != end:
            self._escaped, end = "\\", end - 1
        return text[:end]


class _Watcher:
    def __init__(self, find: Find, tools: Tools) -> None:
        self._find = find
        self._tools = tools
        self._begun: str | None = ""  # what came before the arguments; None when they are not told
        self._name = ""
        self._arguments = _Arguments()

    def push(self, text: str) -> Told | None:
        if self._begun is None:
            return None
        if not self._name:
            self._begun += text
            found = self._find(self._begun, self._tools)
            if found is None:
                if len(self._begun) > _LATEST:
                    self._begun = None
                return None
            self._name, start = found
            text, self._begun = self._begun[start:], ""
            return self._name, self._arguments.take(text)
        more = self._arguments.take(text)
        return (self._name, more) if more else None


def watch_json(
    name: str = "name", *arguments: str, others: tuple[str, ...] = ("id", "type", "tool_call_id")
) -> Watch:
    """Watches an object with a name and, behind it, arguments."""
    keys = "|".join(arguments or ("arguments", "parameters"))
    skipped = "|".join(others)
    pattern = re.compile(
        rf'\s*\{{\s*(?:"(?:{skipped})"\s*:\s*{_STRING}\s*,\s*)*'
        rf'"{name}"\s*:\s*"([^"\\]*)"\s*,\s*"(?:{keys})"\s*:\s*(?=\{{)'
    )

    def find(text: str, tools: Tools) -> tuple[str, int] | None:
        found = pattern.match(text)
        if found is None or found[1] not in tools.names:
            return None
        return found[1], found.end()

    return lambda head, tools: _Watcher(find, tools)


def watch_named(name_of: Callable[[str, Tools], str], separator: str = "") -> Watch:
    """Watches arguments whose function the head names, or with a separator the text before it.

    `name_of` gives the declared name in such a text, "" for none.
    """

    def watch(head: str, tools: Tools) -> Watcher:
        def find(text: str, tools: Tools) -> tuple[str, int] | None:
            before, found, after = text.partition(separator) if separator else (head, "", text)
            inside = after.lstrip()
            if (separator and not found) or not inside.startswith("{"):
                return None
            name = name_of(before, tools)
            return (name, len(text) - len(inside)) if name in tools.names else None

        return _Watcher(find, tools)

    return watch
