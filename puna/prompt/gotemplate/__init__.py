"""Go's text/template: parser and interpreter, a library of its own.

It runs templates of strangers: nothing but the data, the built-in functions and those that are
handed over can be reached, what an execution may cost is limited, and every failure is a
GoTemplateError in Go's wording.
"""

from puna.prompt.gotemplate.errors import (
    CallError,
    ExecutionError,
    GoTemplateError,
    ParseError,
)
from puna.prompt.gotemplate.limits import LIMITS, Limits
from puna.prompt.gotemplate.template import Template
from puna.prompt.gotemplate.values import ANY, STRING, Function, NamedList, NamedMap, Struct

__all__ = [
    "ANY",
    "LIMITS",
    "STRING",
    "CallError",
    "ExecutionError",
    "Function",
    "GoTemplateError",
    "Limits",
    "NamedList",
    "NamedMap",
    "ParseError",
    "Struct",
    "Template",
]
