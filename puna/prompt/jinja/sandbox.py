"""The environment of a chat template: what it may look up and call, each use counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from string import Formatter
from types import BuiltinMethodType, FunctionType, MappingProxyType, MethodType
from typing import TypeAlias, cast

from jinja2 import Undefined, pass_context, pass_environment
from jinja2.environment import Environment
from jinja2.ext import LoopControlExtension
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Namespace

from puna.errors import TemplateError
from puna.prompt.jinja.filters import FILTERS
from puna.prompt.jinja.guards import GenerationBlocks
from puna.prompt.jinja.meter import Meter
from puna.prompt.jinja.values import ATTRIBUTES, NARROW, binary, call_method, make_dict, text

__all__ = ["GLOBALS", "Sandbox"]

_LOOP = frozenset({
    "index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem",
    "depth", "depth0", "cycle", "changed",
})  # fmt: skip
_LOOKUPS: tuple[tuple[type, frozenset[str]], ...] = (*ATTRIBUTES, (LoopContext, _LOOP))
_CALLABLE = (Macro, LoopContext, FunctionType, Undefined)
_SCOPES = frozenset({"_loop_vars", "_block_vars"})  # what compiled templates add to each call
_WIDE = re.compile(r"\d{4}")

Format: TypeAlias = Callable[..., str]
_Pair: TypeAlias = tuple[object, object]


@pass_context
def _printed(context: Context, value: object) -> str:
    """What an expression prints. It wants the context, so nothing is printed at compile time."""
    meter = _meter(context.environment)
    printed = text(meter, value)
    meter.spend()
    meter.charge(len(printed))
    return printed


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles templates, and renders each in a copy of itself with a meter of its own."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            finalize=_printed,
            extensions=[LoopControlExtension, GenerationBlocks],
        )
        self.filters = dict(FILTERS)
        self.meter = Meter()
        self.now: Callable[[], datetime] = datetime.now

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        if attr.startswith("_"):
            return False
        for kind, names in _LOOKUPS:
            if isinstance(obj, kind):
                return attr in names
        return isinstance(obj, Namespace)

    def wrap_str_format(self, value: object) -> Format | None:
        if not isinstance(value, BuiltinMethodType) or not isinstance(value.__self__, str):
            return None
        if value.__name__ != "format":
            return None
        pattern = value.__self__

        def format_text(*args: object, **kwargs: object) -> str:
            return _Formatter(self).vformat(pattern, args, kwargs)

        return format_text

    def getattr(self, obj: object, attribute: str) -> object:
        self.meter.spend()
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        self.meter.touch(argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        return binary(self.meter, operator, left, right)

    def call(
        __self,  # a template may pass arguments of any name
        __context: Context,
        __obj: object,
        *args: object,
        **kwargs: object,
    ) -> object:
        meter = __self.meter
        if isinstance(__obj, BuiltinMethodType):
            named = {name: kwargs[name] for name in kwargs.keys() - _SCOPES}
            return call_method(meter, __obj.__self__, __obj.__name__, args, named)
        of_loop = isinstance(__obj, MethodType) and isinstance(__obj.__self__, LoopContext)
        if not of_loop and not isinstance(__obj, _CALLABLE):
            raise TemplateError(f"a {type(__obj).__name__} cannot be called")
        meter.touch(*args)
        return meter.hold(super().call(__context, __obj, *args, **kwargs))


class _Formatter(SandboxedFormatter):
    """`str.format` with narrow fields, every part counted."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._meter = sandbox.meter

    def parse(
        self, format_string: object
    ) -> Iterator[tuple[str, str | None, str | None, str | None]]:
        return self._meter.walk(Formatter.parse(self, str(format_string)))

    def convert_field(self, value: object, conversion: str | None) -> object:
        self._meter.touch(value)
        return super().convert_field(value, conversion)

    def format_field(self, value: object, format_spec: str) -> str:
        if _WIDE.search(format_spec):
            raise TemplateError("a field of more than 999 characters")
        self._meter.touch(value)
        return self._meter.hold(str(super().format_field(value, format_spec)))


class _Namespace(Namespace):
    """A namespace that prints short: those that hold one another could print without end."""

    def __repr__(self) -> str:
        return "<Namespace>"


def _meter(environment: Environment) -> Meter:
    if not isinstance(environment, Sandbox):
        raise TypeError("not a sandbox")
    return environment.meter


@pass_environment
def _make_namespace(environment: Environment, *args: object, **kwargs: object) -> Namespace:
    return _Namespace(_pairs(_meter(environment), args, kwargs))


@pass_environment
def _make_dict(environment: Environment, *args: object, **kwargs: object) -> dict[object, object]:
    return _pairs(_meter(environment), args, kwargs)


def _pairs(
    meter: Meter, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[object, object]:
    if not args:
        return make_dict(meter, kwargs.items())
    (first,) = args
    pairs = first.items() if isinstance(first, Mapping) else cast("Iterable[_Pair]", first)
    return make_dict(meter, chain(pairs, kwargs.items()))


@pass_environment
def _range(environment: Environment, *bounds: int) -> range:
    numbers, most = range(*bounds), _meter(environment).limits.items
    if len(numbers) > most:
        raise TemplateError(f"a range of more than {most} numbers")
    return numbers


def _raise_exception(message: object = "") -> str:
    raise TemplateError(str(message))


@pass_environment
def _strftime_now(environment: Environment, pattern: str) -> str:
    if len(pattern) > NARROW or _WIDE.search(pattern):
        raise TemplateError("strftime_now: the pattern is too long")
    if not isinstance(environment, Sandbox):
        raise TypeError("not a sandbox")
    return environment.now().strftime(pattern)


GLOBALS: Mapping[str, object] = MappingProxyType(
    {
        "dict": _make_dict,
        "namespace": _make_namespace,
        "raise_exception": _raise_exception,
        "range": _range,
        "strftime_now": _strftime_now,
    }
)
