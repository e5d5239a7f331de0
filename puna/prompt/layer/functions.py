"""The functions that template layers have besides Go's own. Facts: prompting spec, 1.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from puna.prompt.gotemplate import ANY, STRING, Function
from puna.prompt.layer.values import to_json, typescript_type

__all__ = ["make_functions"]


def make_functions(now: Callable[[], datetime] = datetime.now) -> Mapping[str, Function]:
    """The functions by name; `now` gives the local time."""

    def date(days: int) -> Callable[..., str]:
        return lambda *_: f"{now() + timedelta(days=days):%Y-%m-%d}"

    return {
        "json": Function(to_json, (ANY,)),
        "currentDate": Function(date(0), (STRING,), variadic=True),
        "yesterdayDate": Function(date(-1), (STRING,), variadic=True),
        "toTypeScriptType": Function(typescript_type, (ANY,)),
    }
