"""Puts the counting calls into a parsed template.

They are filters whose names no template can spell. Loop bodies, macros and everything that makes
or reads a value from end to end get one; the rest is bounded by the length of the source.
"""

from __future__ import annotations

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from puna.errors import TemplateError
from puna.prompt.jinja.meter import WHOLE_BITS

__all__ = ["CONCAT", "DICT", "HOLD", "SLICE", "TOUCH", "GenerationBlocks", "guard"]

TOUCH = "#touch"
HOLD = "#hold"
CONCAT = "#concat"
DICT = "#dict"
SLICE = "#slice"


class GenerationBlocks(Extension):
    """`{% generation %}` marks assistant text for training; here it is only a scope."""

    tags = {"generation"}  # noqa: RUF012 - the base class declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def guard(tree: nodes.Template) -> None:
    """Put the counting calls in, in place. Raises TemplateError for what no template may do."""
    _Guards().visit(tree)


def _call(name: str, value: nodes.Expr, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(args), [], None, None, lineno=value.lineno)


def _touched(value: nodes.Expr) -> nodes.Expr:
    return _call(TOUCH, value)


def _step(line: int) -> nodes.ExprStmt:
    return nodes.ExprStmt(_call(TOUCH, nodes.Const(None, lineno=line)), lineno=line)


class _Guards(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, _step(node.lineno))
        if isinstance(node.test, nodes.Expr):  # it runs even where no turn of the body does
            node.test = _touched(node.test)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, _step(node.lineno))
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, _step(node.lineno))
        return node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:
        # printed like any value, so that its size is counted: a loop may print it for ever
        return nodes.Const(node.data, lineno=node.lineno)

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        if isinstance(node.value, int) and node.value.bit_length() > WHOLE_BITS:
            raise TemplateError(f"line {node.lineno}: a number of more than {WHOLE_BITS} bits")
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _call(HOLD, node) if node.items else node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _call(HOLD, node) if node.ctx == "load" else node

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        pairs: list[nodes.Expr] = [
            nodes.Tuple([pair.key, pair.value], "load", lineno=pair.lineno) for pair in node.items
        ]
        return _call(DICT, nodes.List(pairs, lineno=node.lineno))

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call(CONCAT, nodes.List(node.nodes, lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _touched(node.expr)
        for operand in node.ops:
            operand.expr = _touched(operand.expr)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        self.generic_visit(node)
        node.node = _touched(node.node)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        parts = (node.arg.start, node.arg.stop, node.arg.step)
        none = nodes.Const(None, lineno=node.lineno)
        return _call(SLICE, node.node, *(none if part is None else part for part in parts))

    def _refuse(self, node: nodes.Stmt) -> nodes.Node:
        word = type(node).__name__.lower()
        raise TemplateError(f"line {node.lineno}: chat templates have no {word!r}")

    visit_Block = visit_Extends = visit_Include = visit_Import = visit_FromImport = _refuse
