"""Parses what stands inside actions: pipelines, commands and their operands."""

from __future__ import annotations

from collections.abc import Iterable

from puna.prompt.gotemplate.lexer import Kind, Token
from puna.prompt.gotemplate.nodes import (
    Boolean,
    Chain,
    Command,
    Dot,
    Expression,
    Field,
    Identifier,
    Nil,
    Number,
    Pipeline,
    String,
    Variable,
)
from puna.prompt.gotemplate.numbers import parse_character, parse_number
from puna.prompt.gotemplate.reader import Reader
from puna.prompt.gotemplate.text import quote, unquote

__all__ = ["DEEPEST", "PipelineParser", "parse_quoted"]

DEEPEST = 100
"""How deep parentheses and blocks may nest."""

_MOST_VARIABLES = 1000

_NOT_CALLABLE = (Boolean, Dot, Nil, Number, String)
_OPERANDS = frozenset({
    Kind.BOOL, Kind.CHARACTER, Kind.COMPLEX, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.NUMBER,
    Kind.NIL, Kind.RAW_STRING, Kind.STRING, Kind.VARIABLE, Kind.LEFT_PAREN,
})  # fmt: skip


class PipelineParser:
    """Reads pipelines of one template. `variables` are those in scope; who parses blocks cuts the
    list back where a block ends.
    """

    def __init__(self, reader: Reader, functions: Iterable[str]) -> None:
        self.variables = ["$"]
        self._reader = reader
        self._functions = frozenset(functions)
        self._depth = 0

    def parse(self, context: str, end: Kind) -> Pipeline:
        """A pipeline up to and with the token that ends it."""
        at = self._reader.peek_solid().at
        names, assigns = self._declared(context)
        commands: list[Command] = []
        while (token := self._reader.next_solid()).kind is not end:
            if token.kind not in _OPERANDS:
                self._reader.unexpected(token, context)
            self._reader.back()
            commands.append(self._command())
        if not commands:
            self._reader.fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.args[0], _NOT_CALLABLE):
                self._reader.fail(f"non executable command in pipeline stage {stage}")
        return Pipeline(at, tuple(names), assigns, tuple(commands))

    def _declared(self, context: str) -> tuple[list[str], bool]:
        """The variables before `:=` or `=`, and whether it is the latter."""
        reader = self._reader
        names: list[str] = []
        while reader.peek_solid().kind is Kind.VARIABLE:
            variable = reader.next()
            spaced = reader.peek().kind is Kind.SPACE
            following = reader.peek_solid()
            if following.kind in (Kind.ASSIGN, Kind.DECLARE):
                reader.next()
                names.append(self._declare(variable))
                return names, following.kind is Kind.ASSIGN
            if following.kind is not Kind.CHAR or following.text != ",":
                reader.back(2 if spaced else 1)
                break
            reader.next()
            names.append(self._declare(variable))
            if context != "range" or len(names) > 1:
                reader.fail(f"too many declarations in {context}")
            after = reader.peek_solid().kind
            if after not in (Kind.VARIABLE, Kind.RIGHT_DELIMITER, Kind.RIGHT_PAREN):
                reader.fail("range can only initialize variables")
        return names, False

    def _declare(self, variable: Token) -> str:
        if len(self.variables) >= _MOST_VARIABLES:
            self._reader.fail(f"more than {_MOST_VARIABLES} variables")
        self.variables.append(variable.text)
        return variable.text

    def _command(self) -> Command:
        reader = self._reader
        at = reader.peek_solid().at
        args: list[Expression] = []
        while True:
            reader.peek_solid()
            operand = self._operand()
            if operand is not None:
                args.append(operand)
            token = reader.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT_DELIMITER, Kind.RIGHT_PAREN):
                reader.back()
            elif token.kind is not Kind.PIPE:
                reader.unexpected(token, "operand")
            break
        if not args:
            reader.fail("empty command")
        return Command(at, tuple(args))

    def _operand(self) -> Expression | None:
        """A term and the fields behind it."""
        reader = self._reader
        term = self._term()
        if term is None or reader.peek().kind is not Kind.FIELD:
            return term
        at = reader.peek().at
        names: list[str] = []
        while reader.peek().kind is Kind.FIELD:
            names.append(reader.next().text[1:])
        match term:
            case Field():
                return Field(at, (*term.names, *names))
            case Variable():
                return Variable(at, term.name, tuple(names))
            case Boolean() | String() | Number() | Nil() | Dot():
                reader.fail(f"unexpected . after term {quote(str(term))}")
        return Chain(at, term, tuple(names))

    def _term(self) -> Expression | None:
        token = self._reader.next_solid()
        at, text = token.at, token.text
        match token.kind:
            case Kind.IDENTIFIER:
                if text not in self._functions:
                    self._reader.fail(f"function {quote(text)} not defined")
                return Identifier(at, text)
            case Kind.DOT:
                return Dot(at)
            case Kind.NIL:
                return Nil(at)
            case Kind.VARIABLE:
                if text not in self.variables:
                    self._reader.fail(f"undefined variable {quote(text)}")
                return Variable(at, text)
            case Kind.FIELD:
                return Field(at, (text[1:],))
            case Kind.BOOL:
                return Boolean(at, text == "true")
            case Kind.CHARACTER | Kind.COMPLEX | Kind.NUMBER:
                return self._number(token)
            case Kind.STRING | Kind.RAW_STRING:
                return String(at, text, parse_quoted(self._reader, token))
            case Kind.LEFT_PAREN:
                return self._parenthesized()
        self._reader.back()
        return None

    def _number(self, token: Token) -> Number:
        parse = parse_character if token.kind is Kind.CHARACTER else parse_number
        try:
            return Number(token.at, token.text, parse(token.text))
        except ValueError as wrong:
            self._reader.fail(str(wrong))

    def _parenthesized(self) -> Pipeline:
        self._depth += 1
        if self._depth > DEEPEST:
            self._reader.fail("max expression depth exceeded")
        inner = self.parse("parenthesized pipeline", Kind.RIGHT_PAREN)
        self._depth -= 1
        return inner


def parse_quoted(reader: Reader, token: Token) -> str:
    """The value of a string token."""
    try:
        return unquote(token.text)
    except ValueError as wrong:
        reader.fail(str(wrong))
