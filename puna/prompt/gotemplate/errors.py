"""What can go wrong with a template, in Go's wording. Nothing else is ever raised."""

from __future__ import annotations

__all__ = ["CallError", "ExecutionError", "GoTemplateError", "ParseError"]


class GoTemplateError(Exception):
    """A template that does not parse, or that failed while it ran."""


class ParseError(GoTemplateError):
    """A text that is no template; the message names the line."""


class ExecutionError(GoTemplateError):
    """A template that failed, or that costs more than it may."""


class CallError(Exception):
    """Raised by a function: the call it was asked for cannot be answered.

    The template fails with "error calling NAME: " and this message.
    """
