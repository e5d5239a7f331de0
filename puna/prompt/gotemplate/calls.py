"""Compiles calls of functions: their arguments, checked as Go checks them, and the call itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from puna.prompt.gotemplate.builtin import call_function
from puna.prompt.gotemplate.errors import CallError
from puna.prompt.gotemplate.frames import Evaluate, Frame, Placed, Unit
from puna.prompt.gotemplate.nodes import (
    Boolean,
    Chain,
    Command,
    Expression,
    Field,
    Identifier,
    Nil,
    Number,
    Pipeline,
    String,
    Variable,
)
from puna.prompt.gotemplate.values import ANY, STRING, Function, type_name

__all__ = [
    "Arguments",
    "Call",
    "compile_call",
    "compile_choice",
    "compile_value_call",
    "last_evaluated",
    "miscounted",
]


class Arguments(NamedTuple):
    """What a function is given: the nodes behind its name, with what evaluates them, and what
    evaluates the value that a pipeline brings as the last argument.
    """

    nodes: Sequence[Expression] = ()
    values: Sequence[Evaluate] = ()
    final: Evaluate | None = None

    @property
    def all(self) -> list[Evaluate]:
        """What evaluates each of them."""
        return [*self.values, *(() if self.final is None else (self.final,))]

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.values) + (self.final is not None)


class Call(NamedTuple):
    """A call in the template. Errors of the call point at `node`, those before it at `start`."""

    node: Placed
    start: Placed
    name: str


def last_evaluated(node: Expression | Command) -> Placed:
    """The node that was looked at last when this one has been evaluated: Go's errors of what
    happens then point there.
    """
    match node:
        case Pipeline():
            return last_evaluated(node.commands[-1])
        case Command():
            last = node.args[-1]
            return last if isinstance(last, Identifier) else last_evaluated(last)
        case Chain():
            return last_evaluated(node.term)
    return node


def miscounted(function: Function, count: int) -> str | None:
    """The number of arguments that a function wants, when it is not `count`."""
    least = len(function.params) - function.variadic
    if count < least:
        return f"at least {least}" if function.variadic else str(least)
    return None if function.variadic or count == least else str(least)


def compile_call(unit: Unit, call: Call, function: Function, arguments: Arguments) -> Evaluate:
    """A call of this function."""
    wanted = miscounted(function, arguments.total)
    if wanted is not None:
        # of too few arguments Go does not count the one that the pipeline brings
        got = len(arguments.values) if function.variadic else arguments.total
        problem = f"wrong number of args for {call.name}: want {wanted} got {got}"
        return _failing(unit, call.start, problem)
    values = _checked(unit, call, function, arguments)
    invoke, metered = function.call, function.metered

    def evaluate(frame: Frame, dot: object) -> object:
        given = [value(frame, dot) for value in values]
        try:
            made = invoke(frame.meter, *given) if metered else invoke(*given)
            if isinstance(made, str | list):
                frame.meter.made(len(made))
        except CallError as cause:
            unit.fail(call.node, f"error calling {call.name}: {cause}")
        return made

    return evaluate


def _failing(unit: Unit, node: Placed, problem: str) -> Evaluate:
    def fail(_: Frame, __: object) -> object:
        unit.fail(node, problem)

    return fail


def compile_choice(unit: Unit, call: Call, arguments: Arguments, *, stops_at: bool) -> Evaluate:
    """`and` and `or`: the first argument whose truth is `stops_at`, else the last one."""
    if not arguments.total:
        problem = f"wrong number of args for {call.name}: want at least 1 got 0"
        return _failing(unit, call.start, problem)
    *values, last = arguments.all

    def evaluate(frame: Frame, dot: object) -> object:
        for value in values:
            chosen = value(frame, dot)
            if bool(chosen) is stops_at:
                return chosen
        return last(frame, dot)

    return evaluate


def compile_value_call(unit: Unit, call: Call, arguments: Arguments) -> Evaluate:
    """`call`: the first argument is the function."""
    if not arguments.total:
        problem = "wrong number of args for call: want at least 1 got 0"
        return _failing(unit, call.start, problem)
    called = str(arguments.nodes[0]) if arguments.nodes else "call"
    values = arguments.all

    def evaluate(frame: Frame, dot: object) -> object:
        function, *given = [value(frame, dot) for value in values]
        try:
            made = call_function(called, function, tuple(given), frame.meter)
            if isinstance(made, str | list):
                frame.meter.made(len(made))
        except CallError as cause:
            unit.fail(call.node, f"error calling call: {cause}")
        return made

    return evaluate


def _checked(unit: Unit, call: Call, function: Function, arguments: Arguments) -> list[Evaluate]:
    """The arguments with checks around those that have to be texts."""
    last = len(function.params) - 1
    values = [
        value if function.params[min(at, last)] == ANY else _text(unit, node, value)
        for at, (node, value) in enumerate(zip(arguments.nodes, arguments.values, strict=True))
    ]
    final = arguments.final
    if final is None:
        return values
    if function.params[min(len(values), last)] == ANY:
        return [*values, final]
    where = last_evaluated(arguments.nodes[-1]) if arguments.nodes else call.start
    return [*values, _typed(unit, where, final, "invalid value; expected string")]


def _text(unit: Unit, node: Expression, value: Evaluate) -> Evaluate:
    match node:
        case String():
            return value
        case Boolean() | Number():
            return _failing(unit, node, f"expected string; found {node}")
        case Nil():
            return _failing(unit, node, f"cannot assign nil to {STRING}")
        case Field() | Chain() | Variable(fields=(_, *_)):
            missing = f"wrong type for value; expected string; got {ANY}"
        case _:
            missing = "invalid value; expected string"
    return _typed(unit, last_evaluated(node), value, missing)


def _typed(unit: Unit, where: Placed, value: Evaluate, missing: str) -> Evaluate:
    def evaluate(frame: Frame, dot: object) -> object:
        given = value(frame, dot)
        if not isinstance(given, str):
            unit.fail(
                where,
                missing
                if given is None
                else f"wrong type for value; expected string; got {type_name(given)}",
            )
        return given

    return evaluate
