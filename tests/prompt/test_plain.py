"""The default template `{{ .Prompt }}` over a message list (prompting spec, 1.4)."""

from __future__ import annotations

import pytest

from puna.api.requests import Message
from puna.prompt.plain import render_plain

CASES: dict[str, tuple[list[tuple[str, str]], str]] = {
    "nothing": ([], ""),
    "one user": ([("user", "a")], "a"),
    "system is not printed": ([("system", "s"), ("user", "a")], "a"),
    "turns without anything between": (
        [("user", "a"), ("assistant", "b"), ("user", "c")],
        "abc",
    ),
    "users in a row are merged": ([("user", "a"), ("user", "b")], "a\n\nb"),
    "an empty one too": ([("user", ""), ("user", "b")], "\n\nb"),
    "assistants in a row are merged": (
        [("user", "a"), ("assistant", "b"), ("assistant", "c")],
        "ab\n\nc",
    ),
    "a last answer is a beginning": ([("user", "a"), ("assistant", "b")], "ab"),
    "tool results have no place": (
        [("user", "a"), ("assistant", "b"), ("tool", "t"), ("tool", "t"), ("user", "c")],
        "abc",
    ),
    "around a result the later answer wins": (
        [("user", "a"), ("assistant", "b"), ("tool", "t"), ("assistant", "c")],
        "ac",
    ),
    "around a result the later question wins": (
        [("user", "a"), ("tool", "t"), ("user", "b")],
        "b",
    ),
    "a system message ends a turn": (
        [("user", "a"), ("system", "s"), ("user", "b")],
        "ab",
    ),
}


@pytest.mark.parametrize(("chat", "prompt"), CASES.values(), ids=CASES)
def test_plain_prompts(chat: list[tuple[str, str]], prompt: str) -> None:
    assert render_plain([Message(role=role, content=text) for role, text in chat]) == prompt
