"""Calls between tags, wherever the pieces of the answer are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.events import Content, Logprob, ToolCalls
from puna.prompt.capabilities import writes_json_calls
from puna.prompt.parsers import Scanner, Turn
from puna.prompt.parsers.qwen import HERMES

ADD = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": "x"}}\n</tool_call>'
TURN = Turn(has_tools=True)
ADDED = ("add", {"a": 1, "b": "x"})


def read(pieces: list[str]) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    splitter = Scanner(HERMES, TURN)
    out = [piece for text in pieces for piece in splitter.push(text)] + splitter.flush()
    content = "".join(piece.text for piece in out if isinstance(piece, Content))
    calls = [call for piece in out if isinstance(piece, ToolCalls) for call in piece.calls]
    assert [call.function.index for call in calls] == list(range(len(calls)))
    return content, [(call.function.name, call.function.arguments) for call in calls]


ANSWERS: dict[str, tuple[str, str, list[tuple[str, dict[str, Any]]]]] = {
    "no call": ("Hello\nthere.\n", "Hello\nthere.", []),
    "a call alone": (ADD, "", [ADDED]),
    "white space around it": (f"\n {ADD}\n", "", [ADDED]),
    "text before": (f"Let me see.\n{ADD}", "Let me see.", [ADDED]),
    "text after": (f"{ADD}\nDone.", "Done.", [ADDED]),
    "two calls": (f"{ADD}\n{ADD}", "", [ADDED, ADDED]),
    "never closed, but whole": (ADD.removesuffix("</tool_call>"), "", [ADDED]),
    "never closed and not whole": ('a <tool_call>{"name', 'a <tool_call>{"name', []),
    "not JSON": ("<tool_call>add 1</tool_call>", "<tool_call>add 1</tool_call>", []),
    "no name": ('<tool_call>{"x":1}</tool_call>', '<tool_call>{"x":1}</tool_call>', []),
    "no arguments": ('<tool_call>{"name":"now"}</tool_call>', "", [("now", {})]),
    "arguments as text": (
        '<tool_call>{"name":"f","arguments":"{\\"k\\": 2}"}</tool_call>',
        "",
        [("f", {"k": 2})],
    ),
    "arguments that are no object": (
        '<tool_call>{"name":"f","arguments":[1]}</tool_call>',
        '<tool_call>{"name":"f","arguments":[1]}</tool_call>',
        [],
    ),
    "a tag in a text": (
        '<tool_call>{"name":"f","arguments":{"k":"\\"</tool_call>\\\\"}}</tool_call>b',
        "b",
        [("f", {"k": '"</tool_call>\\'})],
    ),
    "a text that is not closed": (
        'a <tool_call>{"name":"f}</tool_call> b',
        'a <tool_call>{"name":"f}</tool_call> b',
        [],
    ),
    "the beginning of a tag": ("a < b <tool", "a < b <tool", []),
}


@pytest.mark.parametrize(("text", "content", "calls"), ANSWERS.values(), ids=ANSWERS)
def test_calls_are_told_from_text(
    text: str, content: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    assert read([text]) == (content, calls)
    assert read(list(text)) == (content, calls)


@given(
    st.lists(st.sampled_from([ADD, "text", " ", "\n", "<tool_call>", "</tool_call>", "<"])),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_the_split_does_not_matter(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    assert read([text[a:b] for a, b in pairwise(places)]) == read([text])


def test_log_probabilities_are_never_lost() -> None:
    splitter = Scanner(HERMES, TURN)
    entries = [Logprob(token=char, logprob=-1.0) for char in ADD]
    out = [
        each
        for char, entry in zip(ADD, entries, strict=True)
        for piece in splitter.push(char, (entry,))
        if isinstance(piece, Content)
        for each in piece.logprobs
    ]
    assert out == entries


TEMPLATES = {
    "hermes": ("{% if tools %}<tool_call>{name, arguments}</tool_call>{% endif %}", True),
    "no tools": ("{{ messages }}", False),
    "xml in the same tags": (
        "{% if tools %}<tool_call><function=f>arguments</tool_call>{% endif %}",
        False,
    ),
}


@pytest.mark.parametrize(("template", "fits"), TEMPLATES.values(), ids=TEMPLATES)
def test_templates_of_this_form(template: str, fits: bool) -> None:
    assert writes_json_calls(template) is fits
