"""Files that come inside requests, as text for the model: one reader for every API.

Facts: compatibility spec, 9.2, 9.6 and 9.7. What is no text is refused, never left out.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from puna.errors import InvalidField, quoted

__all__ = ["MOST_BYTES", "read_text_file", "shown_name"]

MOST_BYTES = 8 * 1024 * 1024
"""Of one file. A model's context holds less."""
_LONGEST_NAME = 200

_NO_TEXTS = ("image", "audio", "video", "font", "model")
"""Kinds of files whose bytes are not looked at; of others, those decide."""


def read_text_file(data: str, param: str, media_type: str = "") -> str:
    """The text of a file: a data URL, or base64 of the given type. Of any type that is text, source
    code too: the bytes must be UTF-8. Raises InvalidField for `param`, which says what to do.
    """
    if data[:5].lower() == "data:":
        head, _, data = data[5:].partition(",")
        media_type, *parameters = head.split(";")
        is_base64 = any(each.strip().lower() == "base64" for each in parameters)
    else:
        is_base64 = True
    kind = media_type.partition(";")[0].strip().lower()
    if len(data) > MOST_BYTES * (4 if is_base64 else 9) // 3:
        raise _too_large(param)
    if kind == "application/pdf" or kind.partition("/")[0] in _NO_TEXTS:
        raise _no_text(kind, param)
    try:
        raw = base64.b64decode(data, validate=True) if is_base64 else unquote_to_bytes(data)
    except (binascii.Error, ValueError):
        raise InvalidField("the data of a file must be base64", param) from None
    if len(raw) > MOST_BYTES:
        raise _too_large(param)
    if raw.startswith(b"%PDF-"):
        raise _no_text("application/pdf", param)
    try:
        text = raw.decode("utf-8-sig")
    except ValueError:
        text = "\0"
    if "\0" in text:
        raise _no_text(kind or "unknown", param)
    return text


def shown_name(name: object) -> str:
    """A file's name as a line for the model, "" where there is none."""
    if not isinstance(name, str):
        return ""
    return "".join(char for char in " ".join(name.split()) if char.isprintable())[:_LONGEST_NAME]


def _no_text(kind: str, param: str) -> InvalidField:
    told = f"files of type {quoted(kind[:80])} are not supported, only texts in UTF-8"
    return InvalidField(f"{told}: send their text", param, "unsupported_value")


def _too_large(param: str) -> InvalidField:
    return InvalidField(f"a file has at most {MOST_BYTES} bytes", param)
