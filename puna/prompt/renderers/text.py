"""The ways in which renderers write values, and what several families have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from puna.api.requests import Message
from puna.gojson import Json, encode, format_general, format_number

__all__ = [
    "BLANK",
    "CALL_INSTRUCTIONS",
    "chatml",
    "indented_json",
    "json_text",
    "plain",
    "spaced_json",
    "tool_run",
    "trim",
    "trim_end",
    "unescaped_json",
]

BLANK = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What Go takes for white space: Python's own strip takes some control characters more."""

CALL_INSTRUCTIONS = """\


If you choose to call a function ONLY reply in the following format with NO suffix:

<tool_call>
<function=example_function_name>
<parameter=example_parameter_1>
value_1
</parameter>
<parameter=example_parameter_2>
This is the value for the second parameter
that can span
multiple lines
</parameter>
</function>
</tool_call>

<IMPORTANT>
Reminder:
- Function calls MUST follow the specified format: an inner <function=...></function> block must \
be nested within <tool_call></tool_call> XML tags
- Required parameters MUST be specified
- You may provide optional reasoning for your function call in natural language BEFORE the \
function call, but NOT after
- If there is no function call available, answer the question like normal with your current \
knowledge and do not tell the user about function calls
</IMPORTANT>"""
"""How Qwen's and Nvidia's models are told to write calls."""

_STRING_OR_SIGN = re.compile(r'"(?:[^"\\]|\\.)*"|[:,]')
_STRING_OR_EDGE = re.compile(r'"(?:[^"\\]|\\.)*"|\{\}|\[\]|[{}\[\]:,]')
_HTML = re.compile(r"\\(?:u003c|u003e|u0026|u2028|u2029|.)")
_PLAIN = {"\\u003c": "<", "\\u003e": ">", "\\u0026": "&"}


def trim(text: str) -> str:
    """Without the white space around it."""
    return text.strip(BLANK)


def trim_end(text: str) -> str:
    """Without the white space at its end."""
    return text.rstrip(BLANK)


def json_text(value: Json) -> str:
    """Compact JSON as Go writes it. Raises ValueError for what is nested too deep."""
    return encode(value).decode()


def spaced_json(value: Json) -> str:
    """Likewise, with a space after every colon and comma."""
    return _STRING_OR_SIGN.sub(_with_space, json_text(value))


def unescaped_json(value: Json) -> str:
    """Spaced JSON in which `<`, `>` and `&` stand as they are."""
    return _HTML.sub(lambda found: _PLAIN.get(found[0], found[0]), spaced_json(value))


def _with_space(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == '"' else f"{found[0]} "


def indented_json(value: Json, indent: str) -> str:
    """JSON with a line for each item, as Go indents it."""
    depth = 0

    def piece(found: re.Match[str]) -> str:
        nonlocal depth
        text = found[0]
        if text in ("{", "["):
            depth += 1
            return f"{text}\n{indent * depth}"
        if text in ("}", "]"):
            depth -= 1
            return f"\n{indent * depth}{text}"
        return {":": ": ", ",": f",\n{indent * depth}"}.get(text, text)

    return _STRING_OR_EDGE.sub(piece, json_text(value))


def plain(value: Json) -> str:
    """A value as text between tags: containers are JSON, the rest as it is printed."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format_number(value) if value.is_integer() else format_general(value)
        case Mapping() | Sequence():
            return json_text(value)


def chatml(role: str, text: str) -> str:
    """A turn as ChatML writes it."""
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def tool_run(messages: Sequence[Message], at: int) -> str:
    """The tool message at `at` as a part of a user turn, which a run of them shares."""
    begins = at == 0 or messages[at - 1].role != "tool"
    ends = at + 1 == len(messages) or messages[at + 1].role != "tool"
    text = f"\n<tool_response>\n{messages[at].content}\n</tool_response>"
    return ("<|im_start|>user" if begins else "") + text + ("<|im_end|>\n" if ends else "")
