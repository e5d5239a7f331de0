"""A model's text as events, by the modes of its family, wherever the pieces are cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from puna.api.events import CallArguments, CallBegun, Content, Logprob, Thinking, ToolCalls
from puna.api.requests import FunctionCall, ToolCall
from puna.errors import BadToolCall
from puna.prompt.parsers.family import BadCall, Body, Family, Fault, Kind, Turn
from puna.prompt.parsers.tools import Tools
from puna.prompt.parsers.watching import Watcher

__all__ = ["Scanner"]

Piece = Content | Thinking | CallBegun | CallArguments | ToolCalls

_MARKS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
_REST_OF_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_COLLECTED = frozenset({Kind.CALL, Kind.HEAD})


class Scanner:
    """Feed it the text as it comes; it holds back what is, or may become, a tag or a call.

    `lenient`: text that is no call after all is content, whatever the family says.
    """

    def __init__(
        self,
        family: Family,
        turn: Turn,
        tools: Iterable[Mapping[str, Any]] = (),
        *,
        lenient: bool = False,
        call_pieces: bool = False,
    ) -> None:
        self._family = family
        self._tools = Tools(tools)
        self._bad = Fault.TEXT if lenient else family.bad
        self._cut = Fault.TEXT if lenient else family.cut
        self._hides = family.hides_thinking and not turn.think
        self._mode = family.modes[family.start(turn)]
        self._held = ""
        self._spaces = ""  # white space that a tag may follow
        self._eats = self._mode.kind is Kind.THINKING and self._mode.trims
        self._raw: list[str] = []  # what led to the text that is collected
        self._collected: list[str] = []
        self._head = ""
        self._depth = 0
        self._quoted = False
        self._minds_strings = True
        self._count = 0
        self._call_pieces = call_pieces
        self._watcher: Watcher | None = None
        self._is_told = False  # of the call that is being written

    @property
    def tags(self) -> tuple[str, ...]:
        """What it looks for."""
        return self._family.tags

    def push(self, text: str, logprobs: tuple[Logprob, ...] = ()) -> list[Piece]:
        """What is certain now. `logprobs` leave with the first text, an empty one if need be.

        Raises BadToolCall.
        """
        self._held += text
        pieces: list[Piece] = []
        while self._held and self._step(pieces):
            pass
        return _with_logprobs(pieces, logprobs) if logprobs else pieces

    def flush(self) -> list[Piece]:
        """What was held when the text ended; white space alone is dropped. Raises BadToolCall."""
        pieces: list[Piece] = []
        while self._mode.otherwise:
            self._give_up(self._held.lstrip(self._mode.blank))
            while self._held and self._step(pieces):
                pass
        if self._mode.has_strings and self._quoted:
            self._reread(pieces)
        held, self._held = self._held, ""
        mode = self._mode
        if mode.kind is Kind.CALL:
            self._collected.append(held)
            self._close("", pieces, is_cut=True)
        elif mode.kind is Kind.HEAD:
            head = "".join((*self._raw, *self._collected, held))
            if self._cut is Fault.TEXT and not head.startswith(self._family.shown):
                self._emit(Kind.CONTENT, head, pieces)
        elif held.strip(mode.blank):
            self._take(held, pieces)
        return pieces

    def _step(self, pieces: list[Piece]) -> bool:
        """Take what can be taken in this mode; whether there is more to do."""
        mode = self._mode
        if mode.otherwise:
            return self._look()
        if mode.then:
            return self._balance(pieces)
        if mode.has_strings and self._minds_strings:
            return self._read_strings(pieces)
        held = self._held
        found = mode.finder.search(held)
        if found is None:
            end = len(held) - mode.finder.overlap(held)
            self._held = held[end:]
            if end:
                self._take(held[:end], pieces)
            return False
        if found.start():
            self._take(held[: found.start()], pieces)
        self._held = held[found.end() :]
        self._leave(found[0], pieces)
        return True

    def _read_strings(self, pieces: list[Piece]) -> bool:
        """Take JSON up to a tag that is in none of its strings."""
        held, at = self._held, 0
        while True:
            if self._quoted:
                closed = _REST_OF_STRING.match(held, at)
                if closed is None:
                    inside = held[at:]
                    end = len(held) - (len(inside) - len(inside.rstrip("\\"))) % 2
                    break
                at, self._quoted = closed.end(), False
            found = self._mode.finder.search(held, at)
            quote = held.find('"', at, found.start() if found else len(held))
            if quote >= 0:
                at, self._quoted = quote + 1, True
            elif found:
                self._collect(held[: found.start()], pieces)
                self._held = held[found.end() :]
                self._leave(found[0], pieces)
                return True
            else:
                end = len(held) - self._mode.finder.overlap(held[at:])
                break
        self._collect(held[:end], pieces)
        self._held = held[end:]
        return False

    def _collect(self, text: str, pieces: list[Piece]) -> None:
        """Keep text of a call, and tell what can be told of it already."""
        self._collected.append(text)
        told = self._watcher.push(text) if self._watcher else None
        if told is None:
            return
        name, arguments = told
        if not self._is_told:
            self._is_told = True
            pieces.append(CallBegun(self._count, "", name))
        if arguments:
            pieces.append(CallArguments(self._count, arguments))

    def _reread(self, pieces: list[Piece]) -> None:
        """A string that was never closed was none: the first tag is one after all."""
        self._held = "".join((*self._collected, self._held))
        self._collected.clear()
        self._quoted, self._minds_strings = False, False
        self._watcher = None
        while self._held and self._step(pieces):
            pass

    def _look(self) -> bool:
        mode = self._mode
        start = self._held.lstrip(mode.blank)
        found = mode.finder.match(start)
        if found is not None:
            self._held = start[found.end() :]
            self._enter(mode.tags[found[0]], found[0])
            return True
        if not start or mode.finder.is_begun(start):
            return False
        self._give_up(start)
        return True

    def _give_up(self, start: str) -> None:
        """None of the tags that were looked for comes."""
        if self._mode.trims:
            self._held = start
        else:
            self._eats = False
        self._mode = self._family.modes[self._mode.otherwise]

    def _balance(self, pieces: list[Piece]) -> bool:
        """Take the JSON value as far as it is there."""
        held = self._held
        if not self._depth:
            start = held.lstrip(self._mode.blank)
            if not start:
                return False
            if start[0] not in "{[":
                self._finish(pieces)
                return True
        end = 0
        for mark in _MARKS.finditer(held):
            end = mark.end()
            if mark[0] == '"':
                self._quoted = not self._quoted
            elif not self._quoted and mark[0][0] != "\\":
                self._depth += 1 if mark[0] in "{[" else -1
                if not self._depth:
                    self._collect(held[:end], pieces)
                    self._held = held[end:]
                    self._finish(pieces)
                    return True
        rest = len(held) - (held.endswith("\\") and end != len(held))
        self._collect(held[:rest], pieces)
        self._held = held[rest:]
        return False

    def _finish(self, pieces: list[Piece]) -> None:
        mode = self._mode
        is_call = self._close("", pieces)
        self._enter(mode.then if is_call or not mode.unread else mode.unread, eats=is_call)

    def _leave(self, tag: str, pieces: list[Piece]) -> None:
        """A tag of the mode came."""
        mode = self._mode
        following = mode.tags[tag]
        if mode.kind is Kind.CALL:
            self._enter(following, tag, eats=self._close(tag, pieces))
            return
        is_head = mode.kind is Kind.HEAD
        if is_head:
            self._head = "".join(self._collected)
            self._raw += (*self._collected, tag)
            self._collected.clear()
            if mode.chooses:
                following = mode.chooses(self._head)
        self._enter(following, tag, is_head=is_head)

    def _enter(self, name: str, tag: str = "", *, eats: bool = True, is_head: bool = False) -> None:
        mode = self._family.modes[name]
        if self._mode.otherwise:
            self._raw.append(tag)
        elif not is_head:
            self._raw = [self._spaces, tag]
        elif mode.kind is Kind.CONTENT:
            self._raw = []  # the head was none of a call's
        if not is_head:
            self._head = ""
        self._mode = mode
        if mode.then and tag in {"{", "["}:
            self._raw.pop()
            self._held = tag + self._held
        elif not mode.otherwise:
            self._eats = mode.trims and eats
        self._spaces = ""
        self._depth, self._quoted = 0, False
        wanted = mode.watch if self._call_pieces else None
        self._watcher = wanted(self._head, self._tools) if wanted else None
        self._is_told = False

    def _take(self, text: str, pieces: list[Piece]) -> None:
        mode = self._mode
        if mode.kind in _COLLECTED:
            self._collect(text, pieces)
            return
        if self._eats:
            text = text.lstrip(mode.blank)
            if not text:
                return
            self._eats = False
        if mode.trims:
            bare = text.rstrip(mode.blank)
            if not bare:
                self._spaces += text
                return
            self._spaces, text = text[len(bare) :], self._spaces + bare
        self._emit(mode.kind, text, pieces)

    def _emit(self, kind: Kind, text: str, pieces: list[Piece]) -> None:
        if not text:
            return
        if kind is Kind.THINKING:
            if not self._hides:
                pieces.append(Thinking(text))
        elif kind is Kind.CONTENT or self._bad is Fault.TEXT:
            pieces.append(Content(text))

    def _close(self, tag: str, pieces: list[Piece], *, is_cut: bool = False) -> bool:
        """Read what was collected, up to a tag or to the end of the answer.

        Whether it was no text: white space behind it counts for nothing.
        """
        text = "".join(self._collected)
        self._collected.clear()
        read = self._mode.read
        try:
            found = [*read(Body(text, self._head, self._tools, is_cut))] if read else []
        except (BadCall, RecursionError) as fault:
            return self._refuse("".join((*self._raw, text, tag)), fault, is_cut, pieces)
        calls = [
            ToolCall(function=FunctionCall(index=index, name=name, arguments=arguments))
            for index, (name, arguments) in enumerate(found, self._count)
        ]
        self._count += len(calls)
        if calls:
            pieces.append(ToolCalls(tuple(calls)))
        return True

    def _refuse(self, raw: str, fault: Exception, is_cut: bool, pieces: list[Piece]) -> bool:
        policy = self._mode.bad or (self._cut if is_cut else self._bad)
        if policy is Fault.ERROR:
            raise BadToolCall(str(fault)) from fault
        if policy is Fault.TEXT:
            self._emit(Kind.CONTENT, raw, pieces)
        return policy is not Fault.TEXT


def _with_logprobs(pieces: list[Piece], logprobs: tuple[Logprob, ...]) -> list[Piece]:
    match pieces:
        case [Content(text), *rest]:
            return [Content(text, logprobs), *rest]
        case [Thinking(text), *rest]:
            return [Thinking(text, logprobs), *rest]
        case _:
            return [Content("", logprobs), *pieces]
