"""From the bytes of a request to its type, as tolerant as the reference (API spec, section 1.3).

Keys match without regard to ASCII case, null is the same as absent, the last of duplicate keys
wins, what follows the first JSON value is ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from puna.api.fields import read_field
from puna.errors import BadRequest, InvalidField

__all__ = ["MOST_DEPTH", "MOST_ITEMS", "MOST_VALUES", "decode", "read_value"]

T = TypeVar("T", bound=msgspec.Struct)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number {text[:40]} is out of range")
    return number


def _no_number(text: str) -> float:
    raise ValueError(f"invalid character in {text}")


MOST_DEPTH = 200
"""How deep lists and objects may nest: schemas are the deepest that anybody sends."""
MOST_VALUES = 4_000_000
MOST_ITEMS = 2**16
"""Messages, calls and the like in one list: more of them than any context has tokens to tell apart
are worked on for seconds."""

_first_value = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number).raw_decode


def decode(kind: type[T], body: bytes) -> T:
    """Read a JSON body into `kind`. Raises BadRequest with the decoder's words."""
    value = _parse(body)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise BadRequest(f"json: cannot unmarshal {_kind(value)} into {kind.__name__}")
    return read_value(kind, value)


def read_value(kind: type[T], value: Mapping[str, Any]) -> T:
    """Turn a parsed JSON object into `kind`, as tolerantly. Raises BadRequest."""
    try:
        return msgspec.convert(_renamed(value, kind), kind, dec_hook=read_field)
    except msgspec.ValidationError as error:
        raise _explained(error) from None


def _explained(error: msgspec.ValidationError) -> BadRequest:
    """Our own errors come out of the conversion wrapped; they go on as they were."""
    cause = error.__cause__
    if isinstance(cause, BadRequest):
        return cause
    _, _, place = str(error).partition("at `$.")
    return InvalidField(f"json: {error}", place.removesuffix("`"), "invalid_type")


def _parse(body: bytes) -> Any:
    if not body.strip():
        raise BadRequest("missing request body")
    nests = body.count(b"[") + body.count(b"{")
    if nests + body.count(b",") > MOST_VALUES:  # each may take a hundred times its bytes
        raise BadRequest(f"unreadable JSON: more than {MOST_VALUES} values")
    value = _read(body)
    if nests > MOST_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_DEPTH):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise BadRequest(f"unreadable JSON: nested deeper than {MOST_DEPTH} levels")


def _read(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # data after the first value is fine: the slower reader decides
    try:
        text = body.decode("utf-8", errors="replace").lstrip(" \t\r\n")
        return _whole(_first_value(text)[0])
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        message = "unexpected EOF" if at_end else f"invalid character: {error.msg}"
        raise BadRequest(message) from None
    except (RecursionError, ValueError) as error:
        raise BadRequest(f"unreadable JSON: {error or 'nested too deep'}") from None


def _whole(value: Any) -> Any:
    """Replace halves of surrogate pairs, which no UTF-8 text can hold, by U+FFFD."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _renamed(value: Any, kind: Any) -> Any:
    """Spell keys as the type does and drop nulls, through nested types."""
    if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        exact, folded = _fields(kind)
        out: dict[str, Any] = {}
        for key, item in value.items():
            name = key if key in exact else folded.get(key.lower()) if key.isascii() else None
            if name is None or item is None or (name != key and name in value):
                continue
            out[name] = _renamed(item, exact[name])
        return out
    if isinstance(value, list) and get_origin(kind) is list:
        (item_kind,) = get_args(kind)
        if isinstance(item_kind, type) and issubclass(item_kind, msgspec.Struct):
            if len(value) > MOST_ITEMS:
                name = item_kind.__name__
                raise BadRequest(f"json: a list of {len(value)} {name}: at most {MOST_ITEMS}")
            return [_renamed({} if item is None else item, item_kind) for item in value]
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, str]]:
    """Wire name to type, and lower-cased wire name to wire name."""
    exact = {spec.encode_name: _plain(spec.type) for spec in msgspec.structs.fields(kind)}
    return exact, {name.lower(): name for name in exact}


def _plain(kind: Any) -> Any:
    """The type without `| None`."""
    if type(None) not in get_args(kind):
        return kind
    choices = [item for item in get_args(kind) if item is not type(None)]
    return choices[0] if len(choices) == 1 else kind
