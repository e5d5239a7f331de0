"""Compiles access to members: `.A.B`, `$x.A`, `(f x).A`, and calls of methods."""

from __future__ import annotations

from collections.abc import Sequence

from puna.prompt.gotemplate.calls import Arguments, Call, compile_call
from puna.prompt.gotemplate.frames import Evaluate, Frame, Placed, Unit
from puna.prompt.gotemplate.values import ANY, Struct, type_name

__all__ = ["compile_fields"]


def compile_fields(
    unit: Unit,
    node: Placed,
    owner: Evaluate | None,
    names: Sequence[str],
    arguments: Arguments | None = None,
) -> Evaluate:
    """The member that `names` lead to from `owner`, or from the dot where that is None.

    `arguments` go to the last member, which has to be a method then.
    """
    *path, last = names
    if arguments is not None:
        return _method(unit, node, _walk(unit, node, owner or _dot, path), last, arguments)
    if owner is None and not path:
        return _of_dot(unit, node, last)
    return _walk(unit, node, owner or _dot, names)


def _dot(_: Frame, dot: object) -> object:
    return dot


def _of_dot(unit: Unit, node: Placed, name: str) -> Evaluate:
    """What most of a template consists of, without a detour."""

    def field(frame: Frame, dot: object) -> object:
        if type(dot) is dict:
            return dot.get(name)
        if isinstance(dot, Struct) and name in dot.fields:
            return dot.fields[name]
        return None if dot is None else _member(unit, node, frame, dot, name, type_name(dot))

    return field


def _walk(unit: Unit, node: Placed, owner: Evaluate, names: Sequence[str]) -> Evaluate:
    if not names:
        return owner
    first, *rest = names

    def field(frame: Frame, dot: object) -> object:
        before = owner(frame, dot)
        if before is None:
            return None
        value = _member(unit, node, frame, before, first, type_name(before))
        for name in rest:
            if value is None:
                unit.fail(node, f"nil pointer evaluating {ANY}.{name}")
            # a map says of its values no more than that they are any
            kind = ANY if isinstance(before, dict) else type_name(value)
            before, value = value, _member(unit, node, frame, value, name, kind)
        return value

    return field


def _method(unit: Unit, node: Placed, owner: Evaluate, name: str, arguments: Arguments) -> Evaluate:
    call = Call(node, node, name)

    def method(frame: Frame, dot: object) -> object:
        value = owner(frame, dot)
        if isinstance(value, Struct) and name in value.methods:
            return compile_call(unit, call, value.methods[name], arguments)(frame, dot)
        if isinstance(value, dict):
            unit.fail(node, f"{name} is not a method but has arguments")
        if isinstance(value, Struct) and name in value.fields:
            unit.fail(node, f"{name} has arguments but cannot be invoked as function")
        return None if value is None else _member(unit, node, frame, value, name, type_name(value))

    return method


def _member(
    unit: Unit, node: Placed, frame: Frame, owner: object, name: str, owner_type: str
) -> object:
    if isinstance(owner, dict):
        return owner.get(name)
    if isinstance(owner, Struct):
        if name in owner.fields:
            return owner.fields[name]
        if name in owner.methods:
            call = Call(node, node, name)
            return compile_call(unit, call, owner.methods[name], Arguments())(frame, None)
    unit.fail(node, f"can't evaluate field {name} in type {owner_type}")
