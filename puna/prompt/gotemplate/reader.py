"""Tokens handed to the parser one by one, with a way back, and the errors of parsing."""

from __future__ import annotations

from typing import NoReturn

from puna.prompt.gotemplate.errors import ParseError
from puna.prompt.gotemplate.lexer import Kind, Token, tokenize

__all__ = ["Reader"]


class Reader:
    """The tokens of one source. `name` is the template's, for errors."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.action_line = 0
        """Where the action under way began, 0 outside."""
        self._tokens = tokenize(source)
        self._at = 0
        self._seen = 0

    def next(self) -> Token:
        """The next token; the last one again at the end."""
        at = min(self._at, len(self._tokens) - 1)
        self._at += 1
        self._seen = max(self._seen, at)
        return self._tokens[at]

    def back(self, count: int = 1) -> None:
        """Return the last tokens."""
        self._at -= count

    def peek(self) -> Token:
        """The next token, which stays the next."""
        token = self.next()
        self.back()
        return token

    def next_solid(self) -> Token:
        """The next token that is no space."""
        while (token := self.next()).kind is Kind.SPACE:
            pass
        return token

    def peek_solid(self) -> Token:
        """The next token that is no space; spaces before it are gone."""
        token = self.next_solid()
        self.back()
        return token

    def expect(self, context: str, *kinds: Kind) -> Token:
        """The next token, which has to be one of these."""
        token = self.next_solid()
        if token.kind not in kinds:
            self.unexpected(token, context)
        return token

    def fail(self, message: str) -> NoReturn:
        """Raise an error at the last token that was read."""
        raise ParseError(f"template: {self.name}:{self._tokens[self._seen].line}: {message}")

    def unexpected(self, token: Token, context: str) -> NoReturn:
        """Raise the error of a token that cannot stand here."""
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {token} in {context}")
        began = ""
        if self.action_line not in (0, token.line):
            words = "started at" if token.text.endswith(" action") else "in action started at"
            began = f" {words} {self.name}:{self.action_line}"
        self.fail(f"{token.text}{began}")
