"""How numbers, sizes, times and durations are written and read.

Facts: CLI spec, section 1.3; models spec, section 23; API spec, section 3.1.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache

__all__ = [
    "BadDuration",
    "format_duration",
    "human_bytes",
    "human_bytes_binary",
    "human_number",
    "human_time",
    "parse_duration",
    "rfc3339",
    "utc_stamp",
]

NANOSECOND = 1
SECOND = 1_000_000_000
MAX_NANOSECONDS = 2**63 - 1

_UNITS = {
    "ns": NANOSECOND,
    "us": 1_000,
    "µs": 1_000,  # U+00B5
    "μs": 1_000,  # U+03BC
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_DIGITS = 19  # before the point: more overflow; after it: more are below a nanosecond
_PIECE = re.compile(r"(\d*\.?\d*)([^\d.]*)")


class BadDuration(ValueError):
    """A text that is not a Go duration; the message is Go's own."""


def parse_duration(text: str) -> int:
    """Read a Go duration such as `1h30m`, `-1.5s` or `300ms` and return nanoseconds.

    Raises BadDuration with Go's wording.
    """

    def bad(what: str = "invalid duration") -> BadDuration:
        return BadDuration(f'time: {what} "{text}"')

    rest = text
    negative = rest.startswith("-")
    if rest[:1] in {"-", "+"}:
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest or not rest.isprintable():
        raise bad()
    total = 0
    while rest:
        match = _PIECE.match(rest)
        number, unit = match.groups() if match else ("", "")
        if number in {"", "."} or not number.isascii():
            raise bad()
        if not unit:
            raise bad("missing unit in duration")
        if unit not in _UNITS:
            raise BadDuration(f'time: unknown unit "{unit}" in duration "{text}"')
        whole, _, fraction = number.partition(".")
        whole, fraction = whole.lstrip("0"), fraction[:_DIGITS]
        if len(whole) > _DIGITS:
            raise bad()
        total += int(f"0{whole}{fraction}") * _UNITS[unit] // 10 ** len(fraction)
        if total > MAX_NANOSECONDS + negative:
            raise bad()
        rest = rest[len(number) + len(unit) :]
    return -total if negative else total


def format_duration(nanoseconds: int) -> str:
    """Write nanoseconds as Go does: `1h2m3.5s`, `12.5ms`, `350µs`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left < SECOND:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if left >= size:
                return f"{sign}{_trimmed(left, size)}{unit}"
    minutes, rest = divmod(left, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_trimmed(rest, SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _trimmed(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    if not fraction:
        return str(whole)
    digits = len(str(unit)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0")


def human_bytes(count: int) -> str:
    """Write a size in decimal units: `999 B`, `1.5 KB`, `15 GB`, truncated from ten units up."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "KB")):
        scale = 1000**power
        if count >= scale:
            value = count / scale
            if value >= 10:
                return f"{int(value)} {unit}"
            return f"{value:.1f} {unit}" if value != int(value) else f"{int(value)} {unit}"
    return f"{count} B"


def human_bytes_binary(count: int) -> str:
    """Write a size in binary units with one decimal: `1.0 KiB`, `1024.0 MiB`, up to GiB."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {unit}"
    return f"{count} B"


def human_number(count: int) -> str:
    """Write a count of parameters: `7B`, `2.9B`, `133.70M`, `1K`, `12`."""
    for scale, unit, decimals in ((10**9, "B", 1), (10**6, "M", 2)):
        if count >= scale:
            return (
                f"{count // scale}{unit}"
                if count % scale == 0
                else f"{count / scale:.{decimals}f}{unit}"
            )
    return f"{count / 1000:.0f}K" if count >= 1000 else str(count)


def human_time(moment: datetime | None, now: datetime, zero: str) -> str:
    """Say how far `moment` is from `now`: `3 hours ago`, `4 minutes from now`, `Forever`.

    `zero` is what an absent moment is called. Both moments carry a time zone.
    """
    if moment is None:
        return zero
    seconds = (now - moment).total_seconds()
    if seconds <= -21 * 365 * 24 * 3600:  # more than 20 whole years
        return "Forever"
    if seconds < 0:
        return f"{_human_span(-seconds)} from now"
    return f"{_human_span(seconds)} ago"


def _human_span(seconds: float) -> str:
    whole = int(seconds)
    minutes = whole // 60
    hours = math.floor(seconds / 3600 + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    for limit, size, word in (
        (48, 1, "hours"),
        (24 * 7 * 2, 24, "days"),
        (24 * 30 * 2, 24 * 7, "weeks"),
        (24 * 365 * 2, 24 * 30, "months"),
    ):
        if hours < limit:
            return "About an hour" if hours == 1 else f"{hours // size} {word}"
    return f"{whole // 3600 // 24 // 365} years"


def rfc3339(moment: datetime, nanosecond: int | None = None) -> str:
    """Write a moment as RFC 3339 with its fraction's trailing zeros trimmed, `Z` for UTC.

    `nanosecond` (0 to 999,999,999) replaces the moment's microseconds where more is known.
    """
    digits = _fraction(moment.microsecond * 1000 if nanosecond is None else nanosecond)
    offset = moment.utcoffset()
    if not offset:
        zone = "Z"
    else:
        minutes = int(offset.total_seconds()) // 60
        zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + digits + zone


def utc_stamp(nanoseconds: int) -> str:
    """Write nanoseconds since 1970 as `rfc3339` does, in UTC. Cheap: every token has one."""
    second, nanosecond = divmod(nanoseconds, 1_000_000_000)
    return _utc_second(second) + _fraction(nanosecond) + "Z"


@lru_cache(maxsize=8)
def _utc_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _fraction(nanosecond: int) -> str:
    return f".{nanosecond:09d}".rstrip("0") if nanosecond else ""
