"""What becomes of the system prompt and the messages of the Anthropic API, check by check of the
compatibility spec, 8.2 and 9.7."""

from __future__ import annotations

import pytest

from puna.api.requests import Message
from tests.server.anthropic import CALL, IMAGE, SCHEMA, chat, result, text


def told(messages: list[Message]) -> list[tuple[str, ...]]:
    """Role, content and thoughts of each message."""
    return [(each.role, each.content, *filter(None, [each.thinking])) for each in messages]


CONTENT: dict[str, tuple[str, object, list[tuple[str, ...]]]] = {
    "a string": ("user", "hi", [("user", "hi")]),
    "blocks of text": ("user", [text("a"), text("b")], [("user", "ab")]),
    "AM-4 text, then a result": (
        "user",
        [text("and?"), result()],
        [("tool", "it"), ("user", "and?")],
    ),
    "AM-4 a result, then text": (
        "user",
        [result(), text("and?")],
        [("tool", "it"), ("user", "and?")],
    ),
    "results of another role come after": (
        "assistant",
        [result(), text("so")],
        [("assistant", "so"), ("tool", "it")],
    ),
    "AM-5 thoughts alone": (
        "assistant",
        [{"type": "thinking", "thinking": "hm", "signature": "s"}],
        [("assistant", "", "hm")],
    ),
    "the last of several thoughts": (
        "assistant",
        [{"type": "thinking", "thinking": "a"}, {"type": "thinking", "thinking": "b"}, text("c")],
        [("assistant", "c", "b")],
    ),
    "AM-6 a message without text": ("user", [text("")], []),
    "AM-7 cache_control": (
        "user",
        [text("a") | {"cache_control": {"type": "ephemeral"}}],
        [("user", "a")],
    ),
    "a result of blocks": ("user", [result([text("a"), text("b")])], [("tool", "ab")]),
    "a result that names tools": (
        "user",
        [result([{"type": "tool_reference", "tool_name": "look"}])],
        [("tool", "look\n")],
    ),
    "a result of nothing": ("user", [result(None)], [("tool", "")]),
    "a result that failed": ("user", [result("no", is_error=True)], [("tool", "Error: no")]),
    "a result that says it failed": (
        "user",
        [result("ERROR 5", is_error=True)],
        [("tool", "ERROR 5")],
    ),
    "redacted thoughts": (
        "assistant",
        [{"type": "redacted_thinking", "data": "x"}, text("a")],
        [("assistant", "a")],
    ),
    "a block that nobody knows": ("user", [{"type": "new"}, text("a")], [("user", "a")]),
    "a document of text": (
        "user",
        [
            {
                "type": "document",
                "title": "T",
                "source": {"type": "text", "media_type": "text/plain", "data": "words"},
            },
            text("a"),
        ],
        [("user", "T\nwords\n\na")],
    ),
    "a document of bytes": (
        "user",
        [
            {
                "type": "document",
                "title": "a.csv",
                "source": {"type": "base64", "media_type": "text/csv", "data": "MSwy"},
            }
        ],
        [("user", "a.csv\n1,2\n\n")],
    ),
    "a document of blocks": (
        "user",
        [{"type": "document", "source": {"type": "content", "content": [text("b")]}}],
        [("user", "b\n\n")],
    ),
    "a search result": (
        "user",
        [{"type": "search_result", "title": "T", "source": "http://x", "content": [text("b")]}],
        [("user", "T\nb\n\n")],
    ),
    "what a search found": (
        "assistant",
        [
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [{"type": "web_search_result", "title": "T", "url": "http://x"}],
            }
        ],
        [("tool", "- T: http://x")],
    ),
    "a search that failed": (
        "assistant",
        [
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
            }
        ],
        [("tool", "web_search_tool_result_error: unavailable")],
    ),
    "roles in capitals": ("USER", "hi", [("user", "hi")]),
    "a system message in between": ("system", "be brief", [("system", "be brief")]),
}


@pytest.mark.parametrize(("role", "content", "messages"), CONTENT.values(), ids=CONTENT)
def test_content(role: str, content: object, messages: list[tuple[str, ...]]) -> None:
    assert told(chat(messages=[{"role": role, "content": content}]).messages) == messages


SYSTEMS: dict[str, tuple[object, list[tuple[str, ...]]]] = {
    "text": ("be kind", [("system", "be kind")]),
    "blocks": ([text("a"), {"type": "image"}, text("b")], [("system", "ab")]),
    "nothing": ("", []),
    "another type": (5, []),
    "what an agent tells its vendor": (
        [text("x-anthropic-billing-header: cch=1a2b;"), text("a")],
        [("system", "a")],
    ),
}


@pytest.mark.parametrize(("system", "messages"), SYSTEMS.values(), ids=SYSTEMS)
def test_the_system_prompt(system: object, messages: list[tuple[str, ...]]) -> None:
    assert told(chat(system=system).messages) == [*messages, ("user", "hi")]


def test_turns_of_one_side_that_follow_each_other_are_one() -> None:
    turns = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": [text("b"), IMAGE]},
        {"role": "system", "content": "s"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
        {"role": "assistant", "content": [text("e"), CALL]},
        {"role": "user", "content": [result()]},
        {"role": "user", "content": "f"},
    ]
    read = chat(messages=turns).messages
    assert told(read) == [
        ("user", "a\n\nb"),
        ("system", "s"),
        ("user", "c"),
        ("assistant", "d"),
        ("assistant", "e"),
        ("tool", "it"),
        ("user", "f"),
    ]
    assert [len(each.images) for each in read] == [1, 0, 0, 0, 0, 0, 0]


def test_what_claude_code_sends_is_a_chat() -> None:
    """The members and headers of its requests, version 2.1."""
    mark = {"cache_control": {"type": "ephemeral"}}
    late = {"name": "later", "description": "", "input_schema": {}, "defer_loading": True}
    read = chat(
        stream=True,
        system=[text("x-anthropic-billing-header: v=1;"), text("Act.") | mark],
        messages=[
            {"role": "user", "content": [text("<reminder>"), text("hi") | mark]},
            {"role": "system", "content": [text("# Environment") | mark]},
        ],
        tools=[{"name": "Bash", "description": "Run", "input_schema": SCHEMA}, late],
        metadata={"user_id": "{}"},
        thinking={"type": "adaptive", "display": "omitted"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        output_config={"effort": "high"},
    )
    assert told(read.messages) == [
        ("system", "Act."),
        ("user", "<reminder>hi"),
        ("system", "# Environment"),
    ]
    assert [tool["function"]["name"] for tool in read.tools] == ["Bash", "later"]
    assert read.think is not None
    assert (read.think.value, read.think_if_able, read.stream) == ("high", True, True)


def test_calls_and_results_know_each_other() -> None:
    said = chat(
        messages=[
            {"role": "assistant", "content": [CALL]},
            {"role": "user", "content": [result([text("a"), IMAGE])]},
        ]
    ).messages
    (call,) = said[0].tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("t1", "look", {"at": 1})
    assert (said[1].tool_call_id, said[1].tool_name) == ("t1", "look")
    assert said[1].images == [b"\x89PNG"]


def test_images_are_decoded() -> None:
    (said,) = chat(messages=[{"role": "user", "content": [IMAGE, text("see")]}]).messages
    assert (said.content, said.images) == ("see", [b"\x89PNG"])
