"""Compiles what prints and what decides: actions, branches, loops, calls of templates."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import assert_never, cast

from puna.prompt.gotemplate.calls import last_evaluated
from puna.prompt.gotemplate.errors import CallError
from puna.prompt.gotemplate.expressions import compile_pipeline, places_of
from puna.prompt.gotemplate.formatting import PLAIN, format_value, printed
from puna.prompt.gotemplate.frames import BREAK, CONTINUE, GO_ON, UNSET, Frame, Placed, Step, Unit
from puna.prompt.gotemplate.nodes import (
    Action,
    Break,
    Continue,
    If,
    Node,
    Nodes,
    Range,
    TemplateCall,
    Text,
    With,
)
from puna.prompt.gotemplate.text import quote
from puna.prompt.gotemplate.values import Function, kind_of, type_name

__all__ = ["compile_nodes"]


def compile_nodes(unit: Unit, nodes: Nodes) -> Step:
    """One step that takes those of all nodes."""
    steps = [_step(unit, node) for node in nodes]
    if len(steps) == 1:
        return steps[0]

    def run(frame: Frame, dot: object) -> int:
        for step in steps:
            jump = step(frame, dot)
            if jump:
                return jump
        return GO_ON

    return run


def _step(unit: Unit, node: Node) -> Step:
    match node:
        case Text():
            return _text(unit, node)
        case Action():
            return _action(unit, node)
        case If() | With():
            return _branch(unit, node)
        case Range():
            return _loop(unit, node)
        case Break():
            return _jump(BREAK)
        case Continue():
            return _jump(CONTINUE)
        case TemplateCall():
            return _call(unit, node)
    assert_never(node)


def _text(unit: Unit, node: Text) -> Step:
    text = node.text

    def run(frame: Frame, _: object) -> int:
        try:
            frame.meter.print(text)
        except CallError as problem:
            unit.fail(node, problem)
        return GO_ON

    return run


def _action(unit: Unit, node: Action) -> Step:
    value = compile_pipeline(unit, node.pipeline)
    if node.pipeline.names:

        def assign(frame: Frame, dot: object) -> int:
            value(frame, dot)
            return GO_ON

        return assign

    def show(frame: Frame, dot: object) -> int:
        made = value(frame, dot)
        try:
            frame.meter.print(made if type(made) is str else _shown(unit, node, frame, made))
        except CallError as problem:
            unit.fail(node, problem)
        return GO_ON

    return show


def _shown(unit: Unit, node: Placed, frame: Frame, value: object) -> str:
    if value is None:
        return "<no value>"
    if isinstance(value, Function):
        unit.fail(node, f"can't print {node} of type {type_name(value)}")
    return printed(frame.meter, value)


def _branch(unit: Unit, node: If | With) -> Step:
    scope = len(unit.scope)
    condition = compile_pipeline(unit, node.pipeline)
    body = compile_nodes(unit, node.body)
    otherwise = _jump(GO_ON) if node.otherwise is None else compile_nodes(unit, node.otherwise)
    del unit.scope[scope:]
    if isinstance(node, If):

        def decide(frame: Frame, dot: object) -> int:
            return body(frame, dot) if condition(frame, dot) else otherwise(frame, dot)

        return decide

    def enter(frame: Frame, dot: object) -> int:
        value = condition(frame, dot)
        return body(frame, value) if value else otherwise(frame, dot)

    return enter


def _jump(kind: int) -> Step:
    def run(_: Frame, __: object) -> int:
        return kind

    return run


def _loop(unit: Unit, node: Range) -> Step:
    scope = len(unit.scope)
    source = compile_pipeline(unit, node.pipeline)
    places = places_of(unit, node.pipeline)
    index_place = places[0] if len(places) > 1 else None
    item_place = places[-1] if places else None
    body = compile_nodes(unit, node.body)
    otherwise = _jump(GO_ON) if node.otherwise is None else compile_nodes(unit, node.otherwise)
    del unit.scope[scope:]
    cost = 1 + _weight(node.body)

    def run(frame: Frame, dot: object) -> int:
        value = source(frame, dot)
        turns = _turns(unit, node, frame, value)
        if not turns:
            return otherwise(frame, dot)
        meter, variables = frame.meter, frame.variables
        try:
            for index, item in _numbered(turns):
                meter.spend(cost)
                if index_place is not None:
                    variables[index_place] = index
                if item_place is not None:
                    variables[item_place] = item
                if body(frame, item) == BREAK:
                    break
        except CallError as problem:
            unit.fail(node, problem)
        return GO_ON

    return run


def _turns(
    unit: Unit, node: Range, frame: Frame, value: object
) -> Sequence[object] | list[tuple[str, object]]:
    """What a loop goes through: items, pairs of a map, or numbers. Nothing where it has no turn."""
    kind = kind_of(value)
    if kind == "list":
        return cast("Sequence[object]", value)
    if kind == "map":
        items = cast("dict[str, object]", value)
        frame.meter.spend(len(items))
        return _Pairs(sorted(items.items(), key=_key))
    if kind == "nil":
        return ()
    where = last_evaluated(node.pipeline)
    if kind != "int":
        shown = format_value(frame.meter, value, "v", PLAIN)
        unit.fail(where, f"range can't iterate over {shown}")
    if len(node.pipeline.names) > 1:
        unit.fail(where, f"can't use {value} to iterate over more than one variable")
    return range(min(cast("int", value), sys.maxsize))


class _Pairs(list[tuple[str, object]]):
    """Keys and values of a map, sorted."""


def _numbered(turns: Sequence[object]) -> Iterable[tuple[object, object]]:
    if isinstance(turns, _Pairs):
        return turns
    return enumerate(turns)


def _key(item: tuple[str, object]) -> str:
    return item[0]


def _weight(nodes: Nodes) -> int:
    """The number of nodes, inner ones included: more than that no turn of a loop runs itself."""
    total = 0
    for node in nodes:
        total += 1
        if isinstance(node, If | With | Range):
            total += _weight(node.body) + _weight(node.otherwise or ())
    return total


def _call(unit: Unit, node: TemplateCall) -> Step:
    data = None if node.pipeline is None else compile_pipeline(unit, node.pipeline)

    def run(frame: Frame, dot: object) -> int:
        target = unit.steps.get(node.name)
        if target is None:
            unit.fail(node, f"template {quote(node.name)} not defined")
        meter = frame.meter
        if not meter.depth:
            unit.fail(node, "exceeded maximum template depth")
        value = None if data is None else data(frame, dot)
        step, places = target
        meter.depth -= 1
        try:
            meter.spend(1)
        except CallError as problem:
            unit.fail(node, problem)
        step(Frame(meter, [value, *[UNSET] * (places - 1)]), value)
        meter.depth += 1
        return GO_ON

    return run
