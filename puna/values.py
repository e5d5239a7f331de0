"""Texts of settings to values: each function reads one kind, and raises BadValue for the rest."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from puna.fmt import SECOND, BadDuration, parse_duration

__all__ = [
    "FOREVER",
    "SECRET",
    "BadValue",
    "endpoint",
    "flag",
    "folder",
    "folder_or_none",
    "host_names",
    "image_hosts",
    "items",
    "keep_alive",
    "keys",
    "level",
    "limit",
    "limit_or_none",
    "log_format",
    "model_aliases",
    "realms",
    "seconds",
    "size",
    "speculation",
    "token",
    "whole",
]

FOREVER = float("inf")
"""A keep-alive that never ends, in seconds."""

_MAX_DIGITS = 18  # what 64 bits certainly hold


class BadValue(ValueError):
    """A setting's text that cannot be read."""


def flag(value: str) -> bool:
    """Go's ParseBool; anything unreadable counts as true."""
    return value not in {"0", "f", "F", "FALSE", "false", "False"}


def is_true(value: str) -> bool:
    """OpenTelemetry's flags: on where the value is `true` in any case, and nowhere else."""
    return value.lower() == "true"


def captures(value: str) -> bool:
    """Whether contents are to be in spans, by the words of OpenTelemetry's tools for Python."""
    return value.lower() in {"true", "span_only", "span_and_event"}


def whole(value: str) -> int:
    """A number of digits alone."""
    if not (value.isascii() and value.isdigit()) or len(value) > _MAX_DIGITS:
        raise BadValue(value)
    return int(value)


def seconds(value: str) -> float:
    """A Go duration, or a whole number of seconds."""
    try:
        return parse_duration(value) / SECOND
    except BadDuration:
        digits = value.removeprefix("-" if value.startswith("-") else "+")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > _MAX_DIGITS:
            raise BadValue(value) from None
        return float(int(value))


def keep_alive(value: str) -> float:
    """Seconds, where those below zero never end."""
    idle = seconds(value)
    return FOREVER if idle < 0 else idle


def limit(value: str) -> float:
    """A time limit where zero and below mean none."""
    most = seconds(value)
    return FOREVER if most <= 0 else most


def limit_or_none(value: str) -> float:
    """A time for which something may go on, where zero and below mean not at all."""
    return max(0.0, seconds(value))


def items(value: str) -> tuple[str, ...]:
    """What stands between commas, as it is."""
    return tuple(value.split(","))


def realms(value: str) -> tuple[str, ...]:
    """Pairs `registry=host`, in lower case."""
    pairs = tuple(pair.strip() for pair in value.lower().split(","))
    if not all(re.fullmatch(r"[^\s=/]+=[^\s=/]+", pair) for pair in pairs):
        raise BadValue(value)
    return pairs


def model_aliases(value: str) -> tuple[str, ...]:
    """Pairs `pattern=model`, as they are."""
    pairs = tuple(pair.strip() for pair in value.split(","))
    if not all(re.fullmatch(r"[^\s=]+=[^\s=*]+", pair) for pair in pairs):
        raise BadValue(value)
    return pairs


def endpoint(value: str) -> str:
    """An http or https address, without a slash at its end."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadValue(value) from None
    has_more = parts.query or parts.fragment or parts.username or not value.isprintable()
    if parts.scheme not in {"http", "https"} or not host or has_more:
        raise BadValue(value)
    return value.rstrip("/")


def token(value: str) -> str:
    """A token that can stand in a header."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise BadValue(value)
    return value


def keys(value: str) -> tuple[str, ...]:
    """Keys by commas. Never fails: a server that cannot read them would otherwise be open."""
    return tuple(filter(None, (key.strip() for key in value.split(",")))) or (value,)


def speculation(value: str) -> str:
    """One of `on`, `lookup`, `off`."""
    if value.lower() not in {"on", "lookup", "off"}:
        raise BadValue(value)
    return value.lower()


def log_format(value: str) -> str:
    """One of `text`, `json`."""
    if value.lower() not in {"text", "json"}:
        raise BadValue(value)
    return value.lower()


def level(value: str) -> int:
    """OLLAMA_DEBUG as a `logging` level: 0 INFO, 1 DEBUG, 2 TRACE (5), -1 WARNING, -2 ERROR."""
    number = 1
    if value.removeprefix("-").isdigit():
        number = int(value)
    elif not flag(value):
        number = 0
    return {0: 20, 1: 10, -1: 30}.get(number, 5 if number > 0 else 40)


def size(value: str) -> int:
    """A size: bytes, or a number with K, M, G or T, which count in 1024s."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)(?:i?b)?", value.lower(), re.ASCII)
    if not match or len(match[1]) > _MAX_DIGITS:
        raise BadValue(value)
    return int(match[1]) << 10 * " kmgt".index(match[2] or " ")


def host_names(value: str) -> tuple[str, ...]:
    """Names of hosts, by commas, or `*`; in lower case."""
    names = tuple(name.strip() for name in value.lower().split(","))
    if not all(re.fullmatch(r"\*|[\w.-]+", name) for name in names):
        raise BadValue(value)
    return names


def image_hosts(value: str) -> tuple[str, ...]:
    """`off`, or `on` and names of hosts."""
    entries = tuple(entry.strip() for entry in value.lower().split(","))
    if not all(re.fullmatch(r"[^\s/]+", entry) for entry in entries):
        raise BadValue(value)
    return () if entries == ("off",) else entries


def folder(value: str) -> Path:
    """A path, `~` written out."""
    try:
        return Path(value).expanduser()
    except RuntimeError:  # the home of a user who is not there
        raise BadValue(value) from None


def folder_or_none(value: str) -> Path | None:
    """A path, or one of the words for none."""
    return None if value.lower() in {"off", "0", "false"} else folder(value)


SECRET = frozenset({token, keys})
"""Those of which nothing is shown."""
