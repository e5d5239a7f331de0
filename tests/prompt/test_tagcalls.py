"""Tool calls behind a tag, found by the names of the tools (prompting spec, 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.events import Content, Logprob, ToolCalls
from puna.prompt.tagcalls import TagCallSplitter

TOOLS = ["get", "get_rain", "get_wind", "rain", "a"]

Called = list[tuple[int, str, dict[str, Any]]]


def run(tag: str, *pieces: str, tools: list[str] | None = None) -> tuple[str, Called]:
    """All content, and the calls."""
    splitter = TagCallSplitter(tag, TOOLS if tools is None else tools)
    events = [event for piece in pieces for event in splitter.push(piece)] + splitter.flush()
    content, calls = "", []
    for event in events:
        if isinstance(event, Content):
            content += event.text
        else:
            assert isinstance(event, ToolCalls)
            calls += [
                (call.function.index, call.function.name, call.function.arguments)
                for call in event.calls
            ]
    return content, calls


RAIN = '{"name": "get_rain", "arguments": {}}'
WIND = '{"name": "get_wind", "arguments": {"x": "}"}}'
CASES: dict[str, tuple[str, str, str, Called]] = {
    "a list": (
        "[TOOL_CALLS] [",
        f"[TOOL_CALLS] [{RAIN}, {WIND}]",
        "",
        [(0, "get_rain", {}), (1, "get_wind", {"x": "}"})],
    ),
    "a tag for each": (
        "<tool_call>",
        f"Let me look. <tool_call>\n{RAIN}\n</tool_call>\n<tool_call>\n{WIND}\n</tool_call>",
        "Let me look. ",
        [(0, "get_rain", {}), (1, "get_wind", {"x": "}"})],
    ),
    "the name last": ("{", '{"arguments": {"x": 1}, "name": "rain"}', "", [(0, "rain", {"x": 1})]),
    "parameters": ("{", '{"name": "rain", "parameters": {"x": 1}}', "", [(0, "rain", {"x": 1})]),
    "arguments as a text": (
        "{",
        '{"name": "rain", "arguments": "{\\"x\\": 1}"}',
        "",
        [(0, "rain", {"x": 1})],
    ),
    "the name as key": ("{", '{"rain": {"x": 1}}', "", [(0, "rain", {"x": 1})]),
    "the name as key of a text": ("{", '{"rain": "{\\"x\\": 1}"}', "", [(0, "rain", {"x": 1})]),
    "as a function": ("<call>", '<call>rain({"x": 1})', "", [(0, "rain", {"x": 1})]),
    "inside a list": (
        "<call>",
        '<call>{"calls": [{"name": "rain", "arguments": {"x": 1}}]}',
        "",
        [(0, "rain", {"x": 1})],
    ),
    "a short name is not meant by a longer word": (
        "{",
        '{"arguments": {"b": 1}, "name": "a"}',
        "",
        [(0, "a", {"b": 1})],
    ),
    "the longest name": ("<call>", '<call>get_rain({"x": 1})', "", [(0, "get_rain", {"x": 1})]),
    "white space before a bracket": ("{", f"\n {RAIN}", "\n ", [(0, "get_rain", {})]),
    "objects one after another": (
        "{",
        f"{RAIN}\n{WIND}",
        "",
        [(0, "get_rain", {}), (1, "get_wind", {"x": "}"})],
    ),
    "a bad object before": ("<call>", "<call>rain {x} {}", "", [(0, "rain", {})]),
    "words before a bracket": ("{", f"I said {RAIN}", f"I said {RAIN}", []),
    "no arguments": ("{", '{"name": "rain"}', '{"name": "rain"}', []),
    "an unknown tool": ("{", '{"name": "snow"}', '{"name": "snow"}', []),
    "a bracket that is none": ("[", "[special delivery] rain", "[special delivery] rain", []),
    "an unknown tool, then a known one": (
        "{",
        '{"name": "nope"}' + RAIN,
        '{"name": "nope"}' + RAIN,
        [],
    ),
    "prose": ("<tool_call>", "get_rain is a tool {}", "get_rain is a tool {}", []),
    "a tag that is none": ("<tool_call>", "x <tool_calm> y", "x <tool_calm> y", []),
    "a part of a tag at the end": ("<tool_call>", "x <tool_", "x <tool_", []),
    "a call that never ends": ("<tool_call>", 'x <tool_call>{"name', 'x <tool_call>{"name', []),
    "text behind": (
        "[TOOL_CALLS] [",
        f"[TOOL_CALLS] [{RAIN}] and so on",
        "",
        [(0, "get_rain", {})],
    ),
    "nothing": ("{", "", "", []),
}


@pytest.mark.parametrize(("tag", "text", "content", "calls"), CASES.values(), ids=CASES)
def test_calls(tag: str, text: str, content: str, calls: Called) -> None:
    tools = [name for name in TOOLS if name != "a" or '"name": "a"' in text]
    assert run(tag, text, tools=tools) == (content, calls)


SPLIT = [name for name in CASES if name not in {"an unknown tool, then a known one"}]


@pytest.mark.parametrize("name", SPLIT)
def test_any_cut_gives_the_same(name: str) -> None:
    tag, text, content, calls = CASES[name]
    tools = [each for each in TOOLS if each != "a" or '"name": "a"' in text]
    for at in range(len(text) + 1):
        found = run(tag, text[:at], text[at:], tools=tools)
        assert (found[0].strip(), found[1]) == (content.strip(), calls), at
    found = run(tag, *text, tools=tools)
    assert (found[0].strip(), found[1]) == (content.strip(), calls)


def test_calls_come_as_soon_as_they_are_whole() -> None:
    splitter = TagCallSplitter("[TOOL_CALLS] [", TOOLS)
    assert splitter.push("One. [TOOL_CALLS]") == [Content("One. ")]
    assert splitter.push(" [" + RAIN[:-1]) == []
    assert [type(event) for event in splitter.push(RAIN[-1])] == [ToolCalls]


def test_content_is_held_no_longer_than_a_tag_needs() -> None:
    splitter = TagCallSplitter("<call>", TOOLS)
    assert splitter.push("a <") == [Content("a ")]
    assert splitter.push("b") == [Content("<b")]


TAGS = {
    "[TOOL_CALLS] [": ("[TOOL_CALLS]",),
    "[TOOL_CALLS][": ("[TOOL_CALLS]",),
    "<tool_call>": ("<tool_call>",),
    "functools[": ("functools[",),
    "{": (),
    "[": (),
}


@pytest.mark.parametrize(("tag", "shown"), TAGS.items(), ids=TAGS)
def test_which_control_tokens_must_be_shown(tag: str, shown: tuple[str, ...]) -> None:
    assert TagCallSplitter(tag, TOOLS).tags == shown


def test_without_tools_all_is_content() -> None:
    assert run("<call>", f"<call>{RAIN}", tools=[]) == (f"<call>{RAIN}", [])


def test_logprobs_leave_with_the_first_content() -> None:
    splitter = TagCallSplitter("{", TOOLS)
    probs = (Logprob(token="x", logprob=-1.0),)
    assert splitter.push("{", probs) == [Content("", probs)]
    assert splitter.push("}", probs) == [Content("{}", probs)]


@given(
    st.sampled_from(["{", "[", "<call>", "```json"]),
    st.lists(
        st.sampled_from(
            [*'{}[]",:\\ \n', RAIN, "<call>", "<ca", "get", "name", "x", "```json", "a"]
        )
    ),
)
def test_any_text_is_read_without_an_error(tag: str, parts: list[str]) -> None:
    content, calls = run(tag, *parts)
    assert len(content) <= len("".join(parts))
    assert all(name in TOOLS for _, name, _ in calls)
