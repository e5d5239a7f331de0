"""Field types that JSON has no word for: keep-alive times, think values, base64 images.

Facts: API spec, section 3.
"""

from __future__ import annotations

from typing import Any

from puna.api.media import MediaData
from puna.config import FOREVER
from puna.errors import BadRequest, quoted
from puna.fmt import MAX_NANOSECONDS, SECOND, BadDuration, parse_duration

__all__ = ["Deadline", "KeepAlive", "MediaData", "Think", "read_field"]

_LONGEST = MAX_NANOSECONDS // SECOND
_LEVELS = ("high", "medium", "low", "max")
_ANY_THINK = 'must be "high", "medium", "low", "max", true, or false'


# Plain classes, not dataclasses: msgspec would read those itself, without asking `read_field`.


class KeepAlive:
    """How long a model stays loaded after its last request: seconds, `inf` for ever."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @classmethod
    def parse(cls, value: Any) -> KeepAlive:
        """Read a number of seconds or a Go duration; negative means for ever. Raises BadRequest."""
        match value:
            case bool():
                raise BadRequest("Unsupported type: 'bool'")
            case int() | float():
                seconds = float(value) if value <= _LONGEST else FOREVER
            case str():
                try:
                    seconds = parse_duration(value) / SECOND
                except BadDuration as bad:
                    raise BadRequest(str(bad)) from None
            case list():
                raise BadRequest("Unsupported type: '[]interface {}'")
            case _:
                raise BadRequest("Unsupported type: 'map[string]interface {}'")
        return cls(seconds if seconds >= 0 else FOREVER)  # a NaN is neither


Deadline = KeepAlive
"""How long a request may wait, in the same spellings."""


class Think:
    """Whether a model should think, and how hard: true, false or a level."""

    __slots__ = ("value",)

    def __init__(self, value: bool | str) -> None:
        self.value = value

    @property
    def enabled(self) -> bool:
        """Any level counts as thinking."""
        return self.value is not False

    @classmethod
    def parse(cls, value: Any) -> Think:
        """Read a boolean or a level. Raises BadRequest."""
        if isinstance(value, bool):
            return cls(value)
        if isinstance(value, str):
            if value in _LEVELS:
                return cls(value)
            raise BadRequest(f"invalid think value: {quoted(value)} ({_ANY_THINK})")
        raise BadRequest(
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'
        )


def read_field(kind: type, value: Any) -> Any:
    """Turn a JSON value into one of the types above; the hook for msgspec's conversion."""
    if kind is KeepAlive:
        return KeepAlive.parse(value)
    if kind is Think:
        return Think.parse(value)
    if kind is MediaData:
        return MediaData.parse(value)
    raise NotImplementedError(kind)
