"""Tool calls in an answer's text, for models whose template layer shows how they begin.

All that is known is the tag before the calls (layer/reading.py finds it) and the names of the
tools: a name and a JSON object near it are a call, whatever else is written around them.
Facts: prompting spec, 4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from puna.api.events import Content, Logprob, ToolCalls
from puna.api.requests import FunctionCall, ToolCall
from puna.prompt.parsers.family import CallForm
from puna.prompt.parsers.writing import json_array, json_form, json_object

__all__ = ["TagCallSplitter", "call_form"]

SPACE = " \t\r\n"
_CLOSING = {"{": "}", "[": "]"}
_MARKS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)

_TAG = re.compile(r"<(\w+)>")
_BRACKETED = re.compile(r"\[[^\]]*\]|<[^>]*>")

Piece = Content | ToolCalls
Arguments = dict[str, Any]


def call_form(tag: str, source: str) -> CallForm:
    """How calls are written that begin with a tag, in a template with this source."""
    is_older = '"parameters": {{' in source and '"arguments": {{' not in source
    keys = ("name", "parameters" if is_older else "arguments")
    call = json_object(keys)
    if tag == "{":
        return CallForm(call, is_single=True, is_json=True)
    if tag.endswith("["):
        form = json_array(tag, "]", call)
        return replace(form, is_json=True) if tag == "[" else form
    name = _TAG.fullmatch(tag)
    closing = f"</{name[1]}>" if name else "```" if tag.startswith("```") else ""
    return json_form(tag, closing, keys)


class _State(Enum):
    LOOKING = auto()  # for the tag
    CALLING = auto()
    DONE = auto()  # no call is coming


class TagCallSplitter:
    """Feed it the content as it comes; it holds back what is, or may become, a call.

    Where the tag is a bracket, an answer that begins with anything else has no calls. After a call
    only further calls are expected: text between and behind them is dropped.
    """

    def __init__(self, tag: str, tools: Iterable[str]) -> None:
        self._tag = tag
        self._tools = [name for name in tools if name]
        self._state = _State.LOOKING if self._tools else _State.DONE
        self._held = ""
        self._begun = {name[:size] for name in self._tools for size in range(1, len(name))}
        self._closed = False  # an object that was not looked at yet may have ended
        self._count = 0

    @property
    def tags(self) -> tuple[str, ...]:
        """What it looks for, as far as it may be one token of the model's."""
        word = _BRACKETED.match(self._tag)
        return () if self._tag in _CLOSING else (word[0] if word else self._tag,)

    def push(self, text: str, logprobs: tuple[Logprob, ...] = ()) -> list[Piece]:
        """What is certain now. `logprobs` leave with the first content, an empty one if need be."""
        self._held += text
        pieces = self._take(text)
        if not logprobs:
            return pieces
        first = pieces[0] if pieces else None
        if isinstance(first, Content):
            return [Content(first.text, logprobs), *pieces[1:]]
        return [Content("", logprobs), *pieces]

    def flush(self) -> list[Piece]:
        """What was held when the text ended: it is content unless a call was found."""
        calls = self._calls() if self._closed else []
        held, self._held = self._held, ""
        if calls:
            return [ToolCalls(tuple(calls))]
        return [Content(held)] if held.strip(SPACE) and not self._count else []

    def _take(self, new: str) -> list[Piece]:
        pieces: list[Piece] = []
        if self._state is _State.LOOKING:
            new = self._held
            pieces += self._look()
        if self._state is _State.CALLING:
            self._closed = self._closed or "}" in new or "]" in new
            if self._closed and self._names_are_whole():
                pieces += self._call()
        if self._state is _State.DONE and self._held:
            pieces.append(Content(self._held))
            self._held = ""
        return pieces

    def _look(self) -> list[Piece]:
        before, tag, _ = self._held.partition(self._tag)
        if tag:
            self._state = _State.CALLING
        else:
            kept = _overlap(before, self._tag)
            before = before[: len(before) - kept]
        if self._tag in _CLOSING:
            if before.strip(SPACE):
                self._state = _State.DONE
                return []
            if not tag:
                return []  # white space, which a call may follow
        self._held = self._held[len(before) :]
        return [Content(before)] if before else []

    def _call(self) -> list[Piece]:
        calls = self._calls()
        self._closed = False
        if self._is_over():
            self._state = _State.DONE
        return [ToolCalls(tuple(calls))] if calls else []

    def _names_are_whole(self) -> bool:
        """Whether no tool's name may just be coming."""
        longest = max(map(len, self._tools)) - 1
        ends = (self._held[-size:] for size in range(1, min(len(self._held), longest) + 1))
        return self._begun.isdisjoint(ends)

    def _is_over(self) -> bool:
        """Whether the bracket that began the calls is closed."""
        closing = _CLOSING.get(self._tag)
        if closing is None:
            return False
        depth = 0
        for mark in _brackets(self._held):
            depth += (mark[0] == self._tag) - (mark[0] == closing)
            if not depth and mark[0] == closing:
                return True
        return False

    def _calls(self) -> list[ToolCall]:
        calls: list[ToolCall] = []
        while True:
            found = self._find_name()
            if found is None:
                return calls
            name, end = found
            arguments, stop = _find_arguments(self._held, name)
            if arguments is None:
                return calls
            function = FunctionCall(index=self._count, name=name, arguments=arguments)
            calls.append(ToolCall(function=function))
            self._count += 1
            self._held = self._held[max(end, stop) :]

    def _find_name(self) -> tuple[str, int] | None:
        """The first tool that is named, and where its name ends.

        Names in quotes come first: a tool called `a` is not meant by `"arguments"`.
        """
        for written in ('"{}"', "{}"):
            places = [
                (at, -len(name), name)
                for name in self._tools
                if (at := self._held.find(written.format(name))) >= 0
            ]
            if places:
                at, _, name = min(places)
                return name, at + len(written.format(name))
        return None


def _overlap(text: str, tag: str) -> int:
    """The length of the longest end of `text` that begins `tag`, without being all of it."""
    longest = min(len(text), len(tag) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(tag[:size])), 0)


def _brackets(text: str) -> Iterator[re.Match[str]]:
    """The brackets outside strings."""
    quoted = False
    for mark in _MARKS.finditer(text):
        if mark[0] == '"':
            quoted = not quoted
        elif not quoted and mark[0][0] != "\\":
            yield mark


def _find_arguments(text: str, name: str) -> tuple[Arguments | None, int]:
    """The arguments in the first JSON object that has some, and where the object ends."""
    start, depth = -1, 0
    for mark in _brackets(text):
        if mark[0] == "{":
            start = mark.start() if not depth else start
            depth += 1
        elif mark[0] == "}" and depth:
            depth -= 1
            value = None if depth else _object(text[start : mark.end()])
            if value is not None:
                found, arguments = _arguments_in(value, name)
                return (arguments if found else value), mark.end()
    return None, 0


def _object(text: str) -> Arguments | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _arguments_in(value: Arguments, name: str) -> tuple[bool, Arguments | None]:
    """Whether the object is a call or holds one, and its arguments, None when it names none."""
    if "name" in value:
        for key in ("arguments", "parameters"):
            arguments = _read(value.get(key))
            if arguments is not None:
                return True, arguments
        return True, None
    arguments = _read(value.get(name))
    if arguments is not None:
        return True, arguments
    for child in value.values():
        for each in child if isinstance(child, list) else [child]:
            if isinstance(each, dict):
                found, arguments = _arguments_in(each, name)
                if found:
                    return True, arguments
    return False, None


def _read(value: object) -> Arguments | None:
    """Arguments as an object, which some models write as a text."""
    if isinstance(value, str):
        return _object(value)
    return value if isinstance(value, dict) else None
