"""What the parts of a compiled template share: how they are called, and how they fail.

A template is compiled into closures. An expression gets the frame and the dot and returns a value;
a step prints, and says whether a `break` or a `continue` is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn, Protocol, TypeAlias

from puna.prompt.gotemplate.errors import ExecutionError
from puna.prompt.gotemplate.limits import Meter
from puna.prompt.gotemplate.text import quote, size
from puna.prompt.gotemplate.values import Function

__all__ = ["BREAK", "CONTINUE", "GO_ON", "UNSET", "Evaluate", "Frame", "Placed", "Step", "Unit"]

GO_ON, BREAK, CONTINUE = 0, 1, 2


class _Unset:
    """The value of a variable whose declaration was never reached."""


UNSET = _Unset()


class Frame:
    """One template under way: its variables, where `$` is the first, and the execution's meter."""

    __slots__ = ("meter", "variables")

    def __init__(self, meter: Meter, variables: list[object]) -> None:
        self.meter = meter
        self.variables = variables


Evaluate: TypeAlias = Callable[[Frame, object], object]
Step: TypeAlias = Callable[[Frame, object], int]


class Placed(Protocol):
    """Any node: where it is; its text is how Go shows it."""

    @property
    def at(self) -> int: ...


class Unit:
    """A tree that is being compiled: its names, its functions, and which variable has which place.

    `main` is the name of the template in whose text it stands, `steps` are filled with the
    compiled templates by name.
    """

    def __init__(
        self,
        name: str,
        main: str,
        source: str,
        functions: Mapping[str, Function],
        steps: Mapping[str, tuple[Step, int]],
    ) -> None:
        self.functions = functions
        self.steps = steps
        self.scope = ["$"]
        self.places = 1
        """How many variables a frame needs."""
        self._name = name
        self._main = main
        self._source = source

    def declare(self, name: str) -> int:
        """A place for a new variable."""
        self.scope.append(name)
        self.places = max(self.places, len(self.scope))
        return len(self.scope) - 1

    def place(self, name: str) -> int | None:
        """Where a variable is, None when there is none of that name."""
        for at in range(len(self.scope) - 1, -1, -1):
            if self.scope[at] == name:
                return at
        return None

    def fail(self, node: Placed, problem: object) -> NoReturn:
        """Raise the error of a node."""
        before = self._source[: node.at]
        line = before.count("\n") + 1
        column = size(before.rpartition("\n")[2])
        raise ExecutionError(
            f"template: {self._main}:{line}:{column}: executing {quote(self._name)} "
            f"at <{node}>: {problem}"
        ) from None
