"""Valid samples, broken in ways that know their structure. All chance comes from the caller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

__all__ = ["LONGEST", "broken_bytes", "broken_json", "broken_text", "wild_value"]

_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    255,
    256,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)
_DEEP = (50, 300, 700, 5_000, 60_000)
_LONG = 100_000
LONGEST = 128 * 1024
"""Characters or bytes of an input."""

_SCRAPS = (
    "",
    " ",
    "\n",
    "\r\n",
    "\0",
    "\ufeff",
    "\u202e",
    "\ud7ff",
    "é",
    "😀",
    '"',
    '"""',
    "'",
    "\\",
    "{{",
    "}}",
    "#",
    ":",
    "/",
    "..",
    "../../../../etc/passwd",
    "//",
    "~",
    "~root/x",
    "-",
    "@",
    "sha256:",
    "sha256-" + "0" * 64,
    "latest",
    "registry.ollama.ai",
    "http://",
    "https://user:pass@h:99999",
    ":local",
    ":cloud",
    "a" * 81,
    "a" * 300,
    "%s%n",
    "1e999",
    "-0",
    "0x10",
    "NaN",
    "true",
    "null",
)


def broken_bytes(chance: Random, sample: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Change the sample in a few places: single bytes, whole numbers, cuts, copies, splices."""
    data = bytearray(sample)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0 if data:
                data[at - 1] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[at - 1] = chance.randrange(256)
            case 2:
                width = chance.choice((2, 4, 8))
                number = chance.choice(_NUMBERS) % (1 << 8 * width)
                data[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))
            case 3:
                del data[at:]
            case 4:
                del data[at : at + chance.randrange(1, 40)]
            case 5:
                end = at + chance.randrange(1, 200)
                data[at:at] = data[at:end] * chance.choice((1, 2, 50))
            case 6 if others:
                other = chance.choice(others)
                data[at:] = other[chance.randrange(len(other) + 1) :]
        del data[LONGEST:]
    return bytes(data)


def broken_text(chance: Random, sample: str, words: Sequence[str] = ()) -> bytes:
    """Change the sample in a few places: words of the format, scraps, lines moved and doubled."""
    text = sample
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(6):
            case 0:
                text = text[:at] + chance.choice([*_SCRAPS, *words]) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.randrange(1, 20) :]
            case 2:
                lines = text.split("\n")
                chance.shuffle(lines)
                text = "\n".join(lines)
            case 3:
                text += "\n" + chance.choice(text.split("\n"))[:200] * chance.choice((1, 2, 500))
            case 4:
                text = text[:at] + chr(chance.randrange(0xD800)) + text[at:]
            case 5:
                text = text[:at] + chance.choice(_SCRAPS) * chance.choice((2, 1000)) + text[at:]
        text = text[:LONGEST]
    encoding = chance.choice(("utf-8",) * 8 + ("utf-16", "utf-16-be"))
    raw = text.encode(encoding)
    return broken_bytes(chance, raw) if chance.random() < 0.2 else raw


def wild_value(chance: Random) -> Any:
    """A JSON value of any kind, sometimes a monstrous one."""
    match chance.randrange(12):
        case 0:
            return None
        case 1:
            return chance.choice((True, False))
        case 2 | 3:
            return chance.choice(_NUMBERS) * chance.choice((1, -1))
        case 4:
            return chance.choice((0.5, -1e-300, 1.7e308, 10**30, 10**400))
        case 5 | 6:
            return chance.choice(_SCRAPS)
        case 7:
            return "x" * _LONG
        case 8:
            return [chance.choice(_SCRAPS)] * chance.choice((0, 1, 1000))
        case 9:
            return {chance.choice(_SCRAPS): chance.choice(_SCRAPS)}
        case 10:
            return _nested(chance, chance.choice(_DEEP[:3]))
        case _:
            return [{"a": [None, {}]}]


def _nested(chance: Random, depth: int) -> Any:
    value: Any = "bottom"
    is_object = chance.random() < 0.5
    for _ in range(depth):
        value = {"a": value} if is_object else [value]
    return value


def broken_json(chance: Random, sample: Any) -> bytes:
    """Replace, remove, add or double parts of a JSON document; sometimes break its text too."""
    document = json.loads(json.dumps(sample))
    for _ in range(chance.choice((1, 1, 2, 4))):
        document = _changed(chance, document)
    try:
        raw = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode()
    except (RecursionError, ValueError):  # deeper, or with longer numbers, than Python writes
        raw = b'{"a":' * chance.choice(_DEEP)
    match chance.randrange(10):
        case 0:
            return broken_bytes(chance, raw)
        case 1:
            depth = chance.choice(_DEEP)
            return raw[:-1] + b',"z":' + b"[" * depth + b"]" * depth + raw[-1:]
        case 2:
            return raw[:-1] + b"," + raw[1:]  # every key twice
        case _:
            return raw[: 2 * LONGEST]


def _changed(chance: Random, value: Any) -> Any:
    """The value with one of its parts changed."""
    if chance.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return wild_value(chance)
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [*value[:at], _changed(chance, value[at]), *value[at + chance.randrange(2) :]]
    key = chance.choice(list(value))
    match chance.randrange(5):
        case 0:
            return {name: part for name, part in value.items() if name != key}
        case 1:
            return {**value, chance.choice(_SCRAPS): wild_value(chance)}
        case _:
            return {**value, key: _changed(chance, value[key])}
