"""The parsed form of a template. `str` of a node is its text as Go shows it in errors.

`at` is where a node stands in the source, in characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Action",
    "Boolean",
    "Break",
    "Chain",
    "Command",
    "Continue",
    "Dot",
    "Expression",
    "Field",
    "Identifier",
    "If",
    "Nil",
    "Node",
    "Nodes",
    "Number",
    "Pipeline",
    "Range",
    "String",
    "TemplateCall",
    "Text",
    "Tree",
    "Variable",
    "With",
]


@dataclass(frozen=True, slots=True)
class Text:
    """What is printed as it is."""

    at: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""

    at: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Nil:
    """The word `nil`."""

    at: int

    def __str__(self) -> str:
        return "nil"


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""

    at: int
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a character; `value` is None for a whole number beyond 63 bits."""

    at: int
    written: str
    value: int | float | None

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True, slots=True)
class String:
    """A quoted text."""

    at: int
    written: str
    value: str

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True, slots=True)
class Identifier:
    """A function's name."""

    at: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`"""

    at: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.A.B`; `name` has the dollar sign."""

    at: int
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of another term: `(f x).A.B`"""

    at: int
    term: Expression
    names: tuple[str, ...]

    def __str__(self) -> str:
        return _operand(self.term) + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Command:
    """One stage of a pipeline: a value, or a function or method with its arguments."""

    at: int
    args: tuple[Expression, ...]

    def __str__(self) -> str:
        return " ".join(map(_operand, self.args))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each the last argument of the next. `names` are set to the result."""

    at: int
    names: tuple[str, ...]
    assigns: bool
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        mark = " = " if self.assigns else " := "
        names = ", ".join(self.names) + mark if self.names else ""
        return names + " | ".join(map(str, self.commands))


Expression: TypeAlias = (
    Dot | Nil | Boolean | Number | String | Identifier | Field | Variable | Chain | Pipeline
)


def _operand(node: Expression) -> str:
    return f"({node})" if isinstance(node, Pipeline) else str(node)


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is printed."""

    at: int
    pipeline: Pipeline

    def __str__(self) -> str:
        return f"{{{{{self.pipeline}}}}}"


@dataclass(frozen=True, slots=True)
class _Branch:
    at: int
    pipeline: Pipeline
    body: Nodes
    otherwise: Nodes | None

    def __str__(self) -> str:
        word = type(self).__name__.lower()
        rest = "{{else}}" + _text(self.otherwise) if self.otherwise is not None else ""
        return f"{{{{{word} {self.pipeline}}}}}{_text(self.body)}{rest}{{{{end}}}}"


class If(_Branch):
    """`if` with its body and what stands behind `else`."""

    __slots__ = ()


class With(_Branch):
    """`with`: an `if` whose body has the value as its dot."""

    __slots__ = ()


class Range(_Branch):
    """`range` over a list, a map or up to a number."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost `range`."""

    at: int

    def __str__(self) -> str:
        return "{{break}}"


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with the next turn of the innermost `range`."""

    at: int

    def __str__(self) -> str:
        return "{{continue}}"


@dataclass(frozen=True, slots=True)
class TemplateCall:
    """`template "name" pipeline`"""

    at: int
    name: str
    written: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        data = f" {self.pipeline}" if self.pipeline is not None else ""
        return f"{{{{template {self.written}{data}}}}}"


Node: TypeAlias = Text | Action | If | With | Range | Break | Continue | TemplateCall
Nodes: TypeAlias = tuple[Node, ...]


def _text(nodes: Nodes) -> str:
    return "".join(map(str, nodes))


@dataclass(frozen=True, slots=True)
class Tree:
    """A named template."""

    name: str
    nodes: Nodes

    @property
    def is_empty(self) -> bool:
        """Whether it is nothing but white space."""
        return all(isinstance(node, Text) and not node.text.strip() for node in self.nodes)
