"""GLM 4.5 and later: calls as a name with pairs of tags. Facts: prompting spec, 3.13."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from puna.prompt.parsers.family import BadCall, Body, CallForm, Family, Fault, Found, Turn
from puna.prompt.parsers.shapes import begins, tagged_call, thinks_first
from puna.prompt.parsers.tools import typed
from puna.prompt.parsers.writing import Tagged, either_form

__all__ = ["ARGUMENT_TAGS", "GLM", "GLM_OCR", "PAIRS_FORM", "read_pairs"]

ARGUMENT_TAGS = ("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")
_TAG = re.compile("|".join(ARGUMENT_TAGS))


def read_call(body: Body) -> Iterator[Found]:
    """Reads `NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>…`."""
    if body.is_cut:
        yield _read_finished(body)
    else:
        yield read_pairs(body)


def _read_finished(body: Body) -> Found:
    """A call in which the answer ended: nothing but the closing tag may be missing."""
    text = body.text
    for size in range(len("</tool_call>") - 1, 0, -1):
        text = text.removesuffix("</tool_call>"[:size])
    try:
        if [tag[0] for tag in _TAG.finditer(text)] != [*ARGUMENT_TAGS] * (text.count("<arg_key>")):
            raise BadCall("an argument is not whole")
        if text.rpartition(ARGUMENT_TAGS[-1])[2].strip() and "<arg_key>" in text:
            raise BadCall("an argument is not whole")
        name, arguments = read_pairs(Body(text, body.head, body.tools, is_cut=False))
        if name not in body.tools.names:
            raise BadCall(f"tool {name!r} is not declared")
        missing = [key for key in body.tools.required(name) if key not in arguments]
        if missing:
            raise BadCall(f"{missing[0]!r} is missing")
    except BadCall as fault:
        raise BadCall(f"incomplete GLM tool call: {fault}") from fault
    return name, arguments


def read_pairs(body: Body) -> Found:
    """Reads a name and pairs, which are told by their order, and puts in tags that were left out.

    Raises BadCall.
    """
    name, keys, values = _parts(body.text)
    if not name:
        raise BadCall("empty function name")
    if len(keys) != len(values):
        raise BadCall(f"mismatched arg_key and arg_value counts: {len(keys)} and {len(values)}")
    types = body.tools.types
    return name, {
        key: typed(value.removeprefix("\n").removesuffix("\n"), types(name, key))
        for key, value in zip(keys, values, strict=True)
    }


def _parts(text: str) -> tuple[str, list[str], list[str]]:
    """The name, the keys and the values."""
    tags = [*_TAG.finditer(text)]
    name = text[: tags[0].start()].strip() if tags else text.strip()
    parts: dict[str, list[str]] = {"<arg_key>": [], "<arg_value>": []}
    if tags and tags[0][0] != "<arg_key>":  # `NAME KEY</arg_key>…`
        name, *key = name.split(maxsplit=1) or [""]
        parts["<arg_key>"] += key
    for tag, following in zip_longest(tags, tags[1:]):
        inner = text[tag.end() : following.start() if following else len(text)]
        closes = following is not None and following[0] == tag[0].replace("<", "</", 1)
        if tag[0] in parts:
            if not closes and following is not None and following[0] == tag[0]:
                raise BadCall("failed to parse XML: a tag is opened twice")
            parts[tag[0]].append(inner if tag[0] == "<arg_value>" else inner.strip())
        elif inner.strip() and tag[0] == "</arg_key>":  # the value's opening tag is missing
            parts["<arg_value>"].append(inner)
        elif inner.strip():
            parts["<arg_key>"].append(inner.strip())
    return name.strip(), parts["<arg_key>"], parts["<arg_value>"]


def _pairs(line: str) -> Tagged:
    """Pairs of tags, each tag followed by `line`."""
    key = f"<arg_key>{{}}</arg_key>{line}<arg_value>"
    never = (*ARGUMENT_TAGS, "</tool_call>")
    return Tagged(f"<tool_call>{{}}{line}", key, f"</arg_value>{line}", "</tool_call>", never)


PAIRS_FORM = CallForm(either_form(_pairs(""), _pairs("\n")), between=r"/\n?/")


def _thinks(turn: Turn) -> bool:
    return turn.think


_MODES = thinks_first(tagged_call("<tool_call>", "</tool_call>", read_call), cuts=("<tool_call>",))

GLM = Family(
    _MODES,
    begins(_thinks),
    has_thinking=True,
    bad=Fault.ERROR,
    cut=Fault.ERROR,
    shown=ARGUMENT_TAGS,
    opening="<think>",
    calls=PAIRS_FORM,
)

GLM_OCR = Family(
    _MODES,
    lambda turn: "begin",
    bad=Fault.ERROR,
    cut=Fault.ERROR,
    shown=ARGUMENT_TAGS,
    opening="<think>",
    calls=PAIRS_FORM,
)
