"""A parsed template: made once from its text, executed any number of times."""

from __future__ import annotations

from collections.abc import Mapping

from puna.prompt.gotemplate.builtin import BUILTINS
from puna.prompt.gotemplate.errors import CallError, ExecutionError, ParseError
from puna.prompt.gotemplate.expressions import SPECIAL
from puna.prompt.gotemplate.frames import UNSET, Frame, Step, Unit
from puna.prompt.gotemplate.limits import LIMITS, Limits, Meter
from puna.prompt.gotemplate.nodes import Nodes, Tree
from puna.prompt.gotemplate.parser import parse_trees
from puna.prompt.gotemplate.statements import compile_nodes
from puna.prompt.gotemplate.text import to_bytes
from puna.prompt.gotemplate.values import Function

__all__ = ["MOST_CHARS", "Template"]

MOST_CHARS = 128 << 10
"""The longest text of a template; the longest published ones have about 10,000."""


class Template:
    """A Go template, ready to be executed. It keeps no state and may be used by many threads."""

    def __init__(
        self,
        trees: Mapping[str, Tree],
        name: str,
        source: str,
        functions: Mapping[str, Function],
    ) -> None:
        self.trees = trees
        """The parsed templates by name: the main one, and those defined in it."""
        self._name = name
        self._source = source
        self._functions = functions
        self._steps: dict[str, tuple[Step, int]] = {}
        for tree in trees.values():
            unit = Unit(tree.name, name, source, functions, self._steps)
            step = compile_nodes(unit, tree.nodes)
            self._steps[tree.name] = (step, unit.places)

    @classmethod
    def parse(
        cls, source: str, *, name: str = "", functions: Mapping[str, Function] | None = None
    ) -> Template:
        """Parse a template whose text may call these functions besides Go's own.

        Raises ParseError.
        """
        if len(source) > MOST_CHARS:
            raise ParseError(f"template: {name}: more than {MOST_CHARS} characters")
        known = {**BUILTINS, **(functions or {})}
        try:
            trees = parse_trees(source, name, (*known, *SPECIAL))
            return cls(trees, name, source, known)
        except RecursionError:
            raise ParseError(f"template: {name}: nested too deeply") from None

    @property
    def main(self) -> Tree:
        """The template that is executed."""
        return self.trees[self._name]

    def with_main(self, nodes: Nodes) -> Template:
        """The same template with another content in its main part."""
        trees = {**self.trees, self._name: Tree(self._name, nodes)}
        return Template(trees, self._name, self._source, self._functions)

    def execute(self, data: object, *, limits: Limits = LIMITS) -> str:
        """The text that the template makes of `data`. Raises ExecutionError."""
        meter = Meter(limits)
        step, places = self._steps[self._name]
        try:
            step(Frame(meter, [data, *[UNSET] * (places - 1)]), data)
            return _clean(meter.output())
        except CallError as problem:
            raise ExecutionError(f"template: {self._name}: {problem}") from None
        except RecursionError:
            raise ExecutionError(f"template: {self._name}: nested too deeply") from None


def _clean(text: str) -> str:
    """The text with U+FFFD for what is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return to_bytes(text).decode("utf-8", "replace")
    return text
