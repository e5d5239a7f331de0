"""Values as models write them outside JSON: Python's words, other quotes, keys without quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from puna.prompt.parsers.family import BadCall, Found

__all__ = ["Form", "read_python_calls", "read_value"]

_DEEPEST = 100
_BARE = re.compile(r"[^,\]})]*")
_INTEGER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,2})?")
_NAME = re.compile(r"\s*([\w.-]+)\s*\(")
_KEY = re.compile(r"\s*(\w+)\s*=")
_SPACE = re.compile(r"\s*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_WORDS: dict[str, Any] = dict.fromkeys(("null", "None", "nil"))
_WORDS |= dict.fromkeys(("true", "True"), True) | dict.fromkeys(("false", "False"), False)


@dataclass(frozen=True, slots=True)
class Form:
    """How a family writes values."""

    quotes: tuple[str, ...] = ('"', "'")
    unescapes: bool = True
    """Whether a backslash changes what follows it, or stays as it is."""
    has_words: bool = True
    """Whether what is in no quotes may be a text."""


def read_value(text: str, form: Form) -> Any:
    """The value that all of `text` is. Raises BadCall."""
    reader = _Reader(text, form)
    value = reader.value()
    reader.skip()
    if reader.at != len(text):
        raise BadCall("text behind a value")
    return value


def read_python_calls(text: str, form: Form) -> Iterator[Found]:
    """The calls `f(key=value, …)`, with commas or line ends between. Raises BadCall."""
    reader = _Reader(text, form)
    while True:
        while reader.takes(","):
            pass
        if reader.at == len(text):
            return
        yield reader.call()


class _Reader:
    def __init__(self, text: str, form: Form) -> None:
        self.text = text
        self.at = 0
        self._form = form
        self._depth = 0

    def skip(self) -> None:
        """Go over white space."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def takes(self, mark: str) -> bool:
        """Whether `mark` is next; it is taken."""
        self.skip()
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def call(self) -> Found:
        found = self._match(_NAME, "a call")
        arguments: dict[str, Any] = {}
        while not self.takes(")"):
            key = self._match(_KEY, "an argument")[1]
            arguments[key] = self.value()
            if not self.takes(","):
                self._expect(")")
                break
        return found[1], arguments

    def value(self) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadCall("nested too deep")
        try:
            return self._value()
        finally:
            self._depth -= 1

    def _value(self) -> Any:
        self.skip()
        for quote in self._form.quotes:
            if self.takes(quote):
                return self._quoted(quote)
        if self.takes("["):
            return self._list()
        if self.takes("{"):
            return self._map()
        return self._bare()

    def _list(self) -> list[Any]:
        values: list[Any] = []
        while not self.takes("]"):
            values.append(self.value())
            if not self.takes(","):
                self._expect("]")
                break
        return values

    def _map(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not self.takes("}"):
            key = self._key()
            members[key] = self.value()
            if not self.takes(","):
                self._expect("}")
                break
        return members

    def _key(self) -> str:
        self.skip()
        for quote in self._form.quotes:
            if self.takes(quote):
                key = self._quoted(quote)
                self._expect(":")
                return key
        end = self.text.find(":", self.at)
        key = self.text[self.at : end].strip()
        if end < 0 or not key or not set(key).isdisjoint("{}[],\"'"):
            raise BadCall("a key is missing")
        self.at = end + 1
        return key

    def _quoted(self, quote: str) -> str:
        start = self.at
        escapes = len(quote) == 1
        end = self.text.find(quote, start)
        while escapes and end >= 0 and self._is_escaped(start, end):
            end = self.text.find(quote, end + 1)
        if end < 0:
            raise BadCall("a text is not closed")
        body = self.text[start:end]
        self.at = end + len(quote)
        if escapes and self._form.unescapes:
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), body, flags=re.DOTALL)
        return body

    def _is_escaped(self, start: int, at: int) -> bool:
        first = at
        while first > start and self.text[first - 1] == "\\":
            first -= 1
        return (at - first) % 2 == 1

    def _bare(self) -> Any:
        found = self._match(_BARE, "a value")
        word = found[0].strip()
        if word in _WORDS:
            return _WORDS[word]
        if _INTEGER.fullmatch(word):
            return int(word)
        if _NUMBER.fullmatch(word):
            return float(word)
        if not word or not self._form.has_words:
            raise BadCall(f"{word!r} is no value")
        return word

    def _match(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise BadCall(f"{wanted} is missing")
        self.at = found.end()
        return found

    def _expect(self, mark: str) -> None:
        if not self.takes(mark):
            raise BadCall(f"{mark!r} is missing")
