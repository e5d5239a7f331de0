"""Compiles pipelines and what they consist of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from puna.prompt.gotemplate.builtin import BUILTINS
from puna.prompt.gotemplate.calls import (
    Arguments,
    Call,
    compile_call,
    compile_choice,
    compile_value_call,
    last_evaluated,
)
from puna.prompt.gotemplate.fields import compile_fields
from puna.prompt.gotemplate.frames import UNSET, Evaluate, Frame, Placed, Unit
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

__all__ = ["SPECIAL", "compile_pipeline", "places_of"]

SPECIAL = ("and", "or", "call")
"""The functions that are part of the language."""


def compile_pipeline(unit: Unit, pipeline: Pipeline) -> Evaluate:
    """The pipeline's value; its variables are set to it."""
    first, *others = pipeline.commands
    value = _command(unit, first, None, pipeline)
    before = last_evaluated(first)
    for command in others:
        value = _piped(unit, value, command, before)
        before = last_evaluated(command)
    if not pipeline.names:
        return value
    if pipeline.assigns:
        return _assigning(unit, pipeline, value)
    return _setting([unit.declare(name) for name in pipeline.names], value)


def _piped(unit: Unit, first: Evaluate, command: Command, before: Placed) -> Evaluate:
    """A command whose last argument is the value of `first`, which is evaluated before all else."""
    place = unit.declare("|")
    value = _command(unit, command, _read(place), before)
    if len(unit.scope) == place + 1:  # nothing was declared inside: the place is free again
        unit.scope.pop()

    def evaluate(frame: Frame, dot: object) -> object:
        frame.variables[place] = first(frame, dot)
        return value(frame, dot)

    return evaluate


def _read(place: int) -> Evaluate:
    def evaluate(frame: Frame, _: object) -> object:
        return frame.variables[place]

    return evaluate


def places_of(unit: Unit, pipeline: Pipeline) -> list[int]:
    """The places of a pipeline's variables, once it has been compiled."""
    places = [unit.place(name) for name in pipeline.names]
    return [place for place in places if place is not None]


def _nothing(_: Frame, __: object) -> object:
    return None


def _dot(_: Frame, dot: object) -> object:
    return dot


def _setting(places: Sequence[int], value: Evaluate) -> Evaluate:
    def evaluate(frame: Frame, dot: object) -> object:
        made = value(frame, dot)
        for place in places:
            frame.variables[place] = made
        return made

    return evaluate


def _assigning(unit: Unit, pipeline: Pipeline, value: Evaluate) -> Evaluate:
    places: list[int] = []
    for name in pipeline.names:
        place = unit.place(name)
        if place is None:
            unit.declare(name)  # what follows may name it, and is never reached
            return _undefined(unit, last_evaluated(pipeline), name, value)
        places.append(place)
    return _setting(places, value)


def _undefined(unit: Unit, node: Placed, name: str, first: Evaluate | None = None) -> Evaluate:
    def evaluate(frame: Frame, dot: object) -> object:
        if first is not None:
            first(frame, dot)
        unit.fail(node, f"undefined variable: {name}")

    return evaluate


def _command(unit: Unit, command: Command, final: Evaluate | None, before: Placed) -> Evaluate:
    first, *rest = command.args
    arguments: Arguments | None = None
    if (rest or final is not None) and not isinstance(first, Pipeline):
        arguments = Arguments(rest, [_value(unit, node) for node in rest], final)
    match first:
        case Identifier():
            return _function(unit, Call(command, first, first.name), arguments or Arguments())
        case Field():
            return compile_fields(unit, first, None, first.names, arguments)
        case Chain():
            return _chain(unit, first, arguments)
        case Variable(fields=(_, *_)):
            return compile_fields(unit, first, _variable(unit, first), first.fields, arguments)
        case Variable() if unit.place(first.name) is None:
            return _undefined(unit, first, first.name)
        case Nil() if arguments is None:
            return _failing(unit, first, "nil is not a command")
    if rest or final is not None:
        where = before if isinstance(first, Pipeline) else first
        return _failing(unit, where, f"can't give argument to non-function {first}")
    return _value(unit, first)


def _failing(unit: Unit, node: Placed, problem: str) -> Evaluate:
    def evaluate(_: Frame, __: object) -> object:
        unit.fail(node, problem)

    return evaluate


def _value(unit: Unit, node: Expression) -> Evaluate:
    """An expression that stands alone, or as an argument."""
    match node:
        case Dot():
            return _dot
        case Nil():
            return _nothing
        case Boolean() | String():
            return _constant(node.value)
        case Number():
            if node.value is None:
                return _failing(unit, node, f"{node} overflows int")
            return _constant(node.value)
        case Identifier():
            return _function(unit, Call(node, node, node.name), Arguments())
        case Field():
            return compile_fields(unit, node, None, node.names)
        case Variable():
            value = _variable(unit, node)
            return compile_fields(unit, node, value, node.fields) if node.fields else value
        case Chain():
            return _chain(unit, node)
        case Pipeline():
            return compile_pipeline(unit, node)
    assert_never(node)


def _constant(value: object) -> Evaluate:
    def evaluate(_: Frame, __: object) -> object:
        return value

    return evaluate


def _chain(unit: Unit, node: Chain, arguments: Arguments | None = None) -> Evaluate:
    if isinstance(node.term, Nil):
        return _failing(unit, node, f"indirection through explicit nil in {node}")
    where = last_evaluated(node.term)
    return compile_fields(unit, where, _value(unit, node.term), node.names, arguments)


def _variable(unit: Unit, node: Variable) -> Evaluate:
    place = unit.place(node.name)
    if place is None:
        return _undefined(unit, node, node.name)

    def evaluate(frame: Frame, _: object) -> object:
        value = frame.variables[place]
        if value is UNSET:
            unit.fail(node, f"undefined variable: {node.name}")
        return value

    return evaluate


def _function(unit: Unit, call: Call, arguments: Arguments) -> Evaluate:
    function = unit.functions.get(call.name)
    if function is not None:
        fast = _text_equality(arguments) if function is BUILTINS["eq"] else None
        general = compile_call(unit, call, function, arguments)
        return general if fast is None else fast(general)
    if call.name == "call":
        return compile_value_call(unit, call, arguments)
    return compile_choice(unit, call, arguments, stops_at=call.name == "or")


def _text_equality(arguments: Arguments) -> Callable[[Evaluate], Evaluate] | None:
    """`eq x "text"`, which templates ask for every message: one comparison where x is a text."""
    if len(arguments.values) != 2 or arguments.final is not None:
        return None
    left, literal = arguments.values[0], arguments.nodes[1]
    if not isinstance(literal, String):
        return None
    wanted = literal.value

    def either(general: Evaluate) -> Evaluate:
        def evaluate(frame: Frame, dot: object) -> object:
            value = left(frame, dot)
            return value == wanted if type(value) is str else general(frame, dot)

        return evaluate

    return either
