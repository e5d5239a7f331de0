"""The functions that make values safe inside HTML, JavaScript and URLs."""

from __future__ import annotations

import re
from urllib.parse import quote_plus

from puna.prompt.gotemplate.limits import Meter
from puna.prompt.gotemplate.printf import sprint
from puna.prompt.gotemplate.text import is_printable, to_bytes

__all__ = ["html", "js", "urlquery"]

_HTML = {
    ord("\0"): "\ufffd",
    ord('"'): "&#34;",
    ord("'"): "&#39;",
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}
_JS_SPECIAL = re.compile(r"""[\\'"<>&=\x00-\x1f]|[^\x00-\x7f]""")
_JS_QUOTED = frozenset("\\'\"")


def html(meter: Meter, *args: object) -> str:
    """The values as text inside HTML."""
    return _text(meter, args).translate(_HTML)


def js(meter: Meter, *args: object) -> str:
    """The values as text inside a JavaScript string."""
    return _JS_SPECIAL.sub(_js_escaped, _text(meter, args))


def urlquery(meter: Meter, *args: object) -> str:
    """The values as text inside a URL's query."""
    return quote_plus(to_bytes(_text(meter, args)), safe="")


def _text(meter: Meter, args: tuple[object, ...]) -> str:
    return sprint(meter, *("<no value>" if value is None else value for value in args))


def _js_escaped(found: re.Match[str]) -> str:
    char = found[0]
    if char in _JS_QUOTED:
        return "\\" + char
    if ord(char) >= 0x80 and is_printable(char):
        return char
    code = 0xFFFD if 0xD800 <= ord(char) <= 0xDFFF else ord(char)
    return f"\\u{code:04X}"
