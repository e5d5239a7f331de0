"""Broken Go templates, over chats whose tools may be anything."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from puna.api.requests import FunctionCall, Message, ToolCall
from puna.prompt.gotemplate import Limits
from puna.prompt.layer import LayerTemplate
from tests.fuzz.mutate import broken_text, wild_value
from tests.prompt.layer.templates import CHATML, INST_WITH_RESPONSE, LLAMA, MISTRAL

__all__ = ["make_template", "use_template"]

LIMITS = Limits(seconds=0.5, output_chars=1 << 20, value_chars=1 << 20)
WORDS = (
    "{{ .Messages }}", "{{ json . }}", "{{ range .Messages }}", "{{ end }}", "{{ else }}", "{{- ",
    '{{ printf "%99999d" 1 }}', '{{ define "t" }}', '{{ template "t" . }}', "{{ .Tools }}", "| js",
    "{{ range 999999999 }}", "{{ $x := print $x $x }}", "{{ slice .Content 1 }}", "{{ break }}",
)  # fmt: skip


def make_template(chance: Random) -> bytes:
    """A template like those of models, changed in a few places."""
    sample = chance.choice((CHATML, LLAMA, MISTRAL, INST_WITH_RESPONSE))
    return broken_text(chance, sample, WORDS)


def use_template(raw: bytes, _: Path) -> None:
    """What parses can be read, and makes a text of a chat."""
    layer = LayerTemplate.parse(raw.decode("utf-8", "replace"))
    chance = Random(len(raw))
    call = FunctionCall(name="f", arguments={"x": wild_value(chance)})
    messages = [
        Message(role="system", content="s"),
        Message(role="user", content="é"),
        Message(role="assistant", thinking="t", tool_calls=[ToolCall(function=call)]),
        Message(role="tool", content="r", tool_name="f"),
    ]
    tools: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "f", "parameters": wild_value(chance)}},
        {"type": wild_value(chance), "function": wild_value(chance)},
    ]
    text = layer.render_chat(messages, tools=tools, think=True, limits=LIMITS)
    text.encode()
    assert len(text) <= LIMITS.output_chars * len(messages)
    assert layer.tool_tag
    assert layer.thinking_tags is None or all(layer.thinking_tags)
