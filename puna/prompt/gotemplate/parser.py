"""Parses a template's text into trees: one for itself and one for each `define` and `block`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from puna.prompt.gotemplate.lexer import Kind, Token
from puna.prompt.gotemplate.nodes import (
    Action,
    Break,
    Continue,
    If,
    Node,
    Nodes,
    Pipeline,
    Range,
    TemplateCall,
    Text,
    Tree,
    With,
)
from puna.prompt.gotemplate.pipelines import DEEPEST, PipelineParser, parse_quoted
from puna.prompt.gotemplate.reader import Reader
from puna.prompt.gotemplate.text import quote

__all__ = ["parse_trees"]

_BRANCHES: dict[Kind, type[If | With | Range]] = {
    Kind.IF: If,
    Kind.WITH: With,
    Kind.RANGE: Range,
}


def parse_trees(source: str, name: str, functions: Iterable[str]) -> dict[str, Tree]:
    """The template called `name` and all that are defined in it. Raises ParseError."""
    reader = Reader(name, source)
    trees: dict[str, Tree] = {}
    _TreeParser(reader, trees, frozenset(functions), name).parse_all()
    return trees


class _Mark(NamedTuple):
    """What ends a list of nodes: `end`, or `else`, perhaps with an `if` or `with` behind it."""

    is_end: bool

    def __str__(self) -> str:
        return "{{end}}" if self.is_end else "{{else}}"


class _TreeParser:
    def __init__(
        self, reader: Reader, trees: dict[str, Tree], functions: frozenset[str], name: str
    ) -> None:
        self._reader = reader
        self._trees = trees
        self._functions = functions
        self._name = name
        self._pipelines = PipelineParser(reader, functions)
        self._ranges = 0
        self._depth = 0

    def parse_all(self) -> None:
        """The main template, with the definitions that stand between its nodes."""
        reader = self._reader
        nodes: list[Node] = []
        while reader.peek().kind is not Kind.EOF:
            if reader.peek().kind is Kind.LEFT_DELIMITER:
                reader.next()
                spaces = reader.peek().kind is Kind.SPACE
                if reader.next_solid().kind is Kind.DEFINE:
                    self._definition()
                    continue
                reader.back(3 if spaces else 2)
            node = self._text_or_action()
            if isinstance(node, _Mark):
                reader.fail(f"unexpected {node}")
            nodes.append(node)
        self._add(nodes)

    def _definition(self) -> None:
        context = "define clause"
        token = self._reader.expect(context, Kind.STRING, Kind.RAW_STRING)
        inner = self._inner(parse_quoted(self._reader, token))
        self._reader.expect(context, Kind.RIGHT_DELIMITER)
        inner.parse_body(context)

    def _inner(self, name: str) -> _TreeParser:
        return _TreeParser(self._reader, self._trees, self._functions, name)

    def parse_body(self, context: str) -> None:
        """A template up to its `end`."""
        nodes, mark = self._nodes()
        if not mark.is_end:
            self._reader.fail(f"unexpected {mark} in {context}")
        self._add(nodes)

    def _add(self, nodes: Iterable[Node]) -> None:
        tree = Tree(self._name, tuple(nodes))
        known = self._trees.get(self._name)
        if known is None or known.is_empty:
            self._trees[self._name] = tree
        elif not tree.is_empty:
            self._reader.fail(f"template: multiple definition of template {quote(self._name)}")

    def _nodes(self) -> tuple[list[Node], _Mark]:
        nodes: list[Node] = []
        while self._reader.peek_solid().kind is not Kind.EOF:
            node = self._text_or_action()
            if isinstance(node, _Mark):
                return nodes, node
            nodes.append(node)
        self._reader.fail("unexpected EOF")

    def _text_or_action(self) -> Node | _Mark:
        token = self._reader.next_solid()
        if token.kind is Kind.TEXT:
            return Text(token.at, token.text)
        if token.kind is not Kind.LEFT_DELIMITER:
            self._reader.unexpected(token, "input")
        self._reader.action_line = token.line
        node = self._action()
        self._reader.action_line = 0
        return node

    def _action(self) -> Node | _Mark:
        token = self._reader.next_solid()
        match token.kind:
            case Kind.BLOCK:
                return self._block()
            case Kind.TEMPLATE:
                return self._call()
            case Kind.BREAK | Kind.CONTINUE:
                return self._jump(token)
            case Kind.ELSE:
                return self._else()
            case Kind.END:
                self._reader.expect("end", Kind.RIGHT_DELIMITER)
                return _Mark(is_end=True)
            case Kind.IF | Kind.RANGE | Kind.WITH:
                return self._branch(token.kind, token.text)
        self._reader.back()
        at = self._reader.peek().at
        return Action(at, self._pipelines.parse("command", Kind.RIGHT_DELIMITER))

    def _else(self) -> _Mark:
        if self._reader.peek_solid().kind not in (Kind.IF, Kind.WITH):
            self._reader.expect("else", Kind.RIGHT_DELIMITER)
        return _Mark(is_end=False)

    def _jump(self, token: Token) -> Node:
        written = f"{{{{{token.text}}}}}"
        following = self._reader.next_solid()
        if following.kind is not Kind.RIGHT_DELIMITER:
            self._reader.unexpected(following, written)
        if not self._ranges:
            self._reader.fail(f"{written} outside {{{{range}}}}")
        return Break(token.at) if token.kind is Kind.BREAK else Continue(token.at)

    def _branch(self, kind: Kind, context: str) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            self._reader.fail("max nesting depth exceeded")
        in_scope = len(self._pipelines.variables)
        pipeline = self._pipelines.parse(context, Kind.RIGHT_DELIMITER)
        self._ranges += kind is Kind.RANGE
        body, mark = self._nodes()
        self._ranges -= kind is Kind.RANGE
        otherwise = None if mark.is_end else self._otherwise(kind, context)
        del self._pipelines.variables[in_scope:]
        self._depth -= 1
        return _BRANCHES[kind](pipeline.at, pipeline, tuple(body), otherwise)

    def _otherwise(self, kind: Kind, context: str) -> Nodes:
        """What follows `else`. An `else if` is an `else` with one `if` in it, which share an end;
        likewise `else with`.
        """
        if kind is not Kind.RANGE and self._reader.peek().kind is kind:
            self._reader.next()
            return (self._branch(kind, context),)
        nodes, mark = self._nodes()
        if not mark.is_end:
            self._reader.fail(f"expected end; found {mark}")
        return tuple(nodes)

    def _call(self) -> TemplateCall:
        context = "template clause"
        token, name = self._template_name(context)
        pipeline: Pipeline | None = None
        if self._reader.next_solid().kind is not Kind.RIGHT_DELIMITER:
            self._reader.back()
            pipeline = self._pipelines.parse(context, Kind.RIGHT_DELIMITER)
        return TemplateCall(token.at, name, quote(name), pipeline)

    def _block(self) -> TemplateCall:
        context = "block clause"
        token, name = self._template_name(context)
        pipeline = self._pipelines.parse(context, Kind.RIGHT_DELIMITER)
        line, self._reader.action_line = self._reader.action_line, 0
        inner = self._inner(name)
        inner._depth = self._depth + 1
        if inner._depth > DEEPEST:
            self._reader.fail("max nesting depth exceeded")
        inner.parse_body(context)
        self._reader.action_line = line
        return TemplateCall(token.at, name, quote(name), pipeline)

    def _template_name(self, context: str) -> tuple[Token, str]:
        token = self._reader.next_solid()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self._reader.unexpected(token, context)
        return token, parse_quoted(self._reader, token)
