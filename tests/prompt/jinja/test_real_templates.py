"""The chat templates that the engine's source carries, against transformers' own rendering of them.

Both packages are large and needed for nothing else: `make test-templates` brings them.
"""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from puna.api.requests import Message
from puna.errors import TemplateError
from puna.prompt.jinja import ChatTemplate
from puna.prompt.renderers import render

FOLDER = Path(__file__).parents[3] / "build" / "engine-templates"
FILES = sorted(FOLDER.glob("*.jinja"))
FEWEST = 25

ESCAPED = {"meetkai-functionary-medium-v3.1"}
"""What is joined to a text with `safe` is escaped for HTML by transformers: in a prompt a mistake,
which neither Puna nor the engine makes.
"""
WANTS_MORE = {"fireworks-ai-llama-3-firefunction-v2"}
"""Nothing comes of it without variables that only its maker knows."""

if not FILES:
    pytest.skip("no templates to compare: make test-templates", allow_module_level=True)
tokenizers = pytest.importorskip("tokenizers", reason="make test-templates installs it")
transformers = pytest.importorskip("transformers", reason="make test-templates installs it")

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": 'The weather <now> & "soon", d\'accord?',
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "city": {"type": "string", "description": "Where: Malmö, 東京"},
                "units": {"type": "string", "enum": ["C", "F"], "description": "Of what?"},
                "days": {"type": "integer", "description": "How many"},
                "at": {"type": "array", "items": {"type": "number"}, "description": "Hours"},
            },
        },
    },
}
STRANGE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "mixed",
        "description": "What some templates refuse.",
        "parameters": {
            "type": "object",
            "properties": {
                "days": {"type": "integer", "enum": [1, 2, 3], "default": 1},
                "units": {"type": ["string", "null"]},
                "either": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {}}]},
            },
        },
    },
}
CLOCK: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "The time.",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
}
TOOLS = [WEATHER, CLOCK]

SYSTEM = {"role": "system", "content": " You are brief. "}
ASK = {"role": "user", "content": "Wie ist das Wetter in Malmö? <b>&amp;</b>\n"}
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {
                "name": "get_weather",
                "arguments": {"city": "Malmö <1>", "days": 2, "at": [1, 2.5], "units": None},
            },
        }
    ],
}
RESULT = {
    "role": "tool",
    "name": "get_weather",
    "tool_call_id": "call00001",
    "content": '{"sky": "grå", "degrees": -3.5}',
}
ANSWER = {"role": "assistant", "content": 'Grey, "-3.5" degrees.\n'}
THOUGHT = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nGrey."}
MORE = {"role": "user", "content": "And tomorrow?"}
TWICE: dict[str, Any] = {
    "role": "assistant",
    "content": "I look at both.",
    "tool_calls": [
        *CALL["tool_calls"],
        {"id": "call00002", "type": "function", "function": {"name": "clock", "arguments": {}}},
    ],
}
TIME = {"role": "tool", "name": "clock", "tool_call_id": "call00002", "content": "12:00"}

Chat = tuple[list[dict[str, Any]], list[dict[str, Any]], bool | str | None]

CHATS: dict[str, Chat] = {
    "one turn": ([ASK], [], None),
    "a system prompt": ([SYSTEM, ASK], [], None),
    "turns": ([SYSTEM, ASK, ANSWER, MORE], [], None),
    "without a system prompt": ([ASK, ANSWER, MORE, ANSWER, ASK], [], None),
    "thinking": ([ASK], [], True),
    "no thinking": ([SYSTEM, ASK], [], False),
    "little thinking": ([ASK], [], "low"),
    "an old thought": ([ASK, THOUGHT, MORE], [], True),
    "an old thought, no thinking": ([ASK, THOUGHT, MORE], [], False),
    "tools": ([SYSTEM, ASK], TOOLS, None),
    "tools without a system prompt": ([ASK], [WEATHER], None),
    "tools and thinking": ([SYSTEM, ASK], TOOLS, True),
    "tools and no thinking": ([ASK], TOOLS, False),
    "a result": ([SYSTEM, ASK, CALL, RESULT], TOOLS, None),
    "a result, thinking": ([ASK, CALL, RESULT], TOOLS, True),
    "a result, no thinking": ([ASK, CALL, RESULT], TOOLS, False),
    "a result, answered": ([SYSTEM, ASK, CALL, RESULT, ANSWER, MORE], TOOLS, None),
    "two calls": ([ASK, TWICE, RESULT, TIME], TOOLS, None),
    "two calls, answered": ([SYSTEM, ASK, TWICE, RESULT, TIME, ANSWER, MORE], TOOLS, True),
    "calls again": ([ASK, CALL, RESULT, ANSWER, MORE, CALL, RESULT], TOOLS, True),
    "strange parameters": ([ASK], [STRANGE, CLOCK], None),
    "results without tools": ([ASK, CALL, RESULT, ANSWER, MORE], [], None),
}


def puna(source: str, chat: Chat) -> str | None:
    """The prompt, or None where the template refuses the chat."""
    messages, tools, think = chat
    read = [
        convert({**message, "tool_name": message.get("name", "")}, Message) for message in messages
    ]
    try:
        return ChatTemplate.compile(source).render(
            read, tools=tools, bos="<bos>", eos="<eos>", think=think
        )
    except TemplateError:
        return None


def theirs(source: str, chat: Chat) -> str | None:
    """Likewise, by transformers."""
    messages, tools, think = chat
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<bos>": 0, "<eos>": 1}))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<bos>", eos_token="<eos>"
    )
    wish: dict[str, Any] = {} if think is None else {"enable_thinking": think is not False}
    if isinstance(think, str):
        wish["reasoning_effort"] = think
    apply: Callable[..., str] = tokenizer.apply_chat_template
    try:
        return apply(
            messages,
            tools=tools or None,
            chat_template=source,
            add_generation_prompt=True,
            tokenize=False,
            **wish,
        )
    except Exception:  # noqa: BLE001 - templates fail in many ways: with what does not matter here
        return None


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= FEWEST


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_prompts_are_those_of_transformers(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    ours = {name: puna(source, chat) for name, chat in CHATS.items()}
    expected = {name: theirs(source, chat) for name, chat in CHATS.items()}
    if path.stem in ESCAPED:
        ours, expected = plain(ours), plain(expected)
    assert ours == expected
    assert any(ours.values()) != (path.stem in WANTS_MORE)


def plain(prompts: dict[str, str | None]) -> dict[str, str | None]:
    return {name: prompt and unescape(prompt) for name, prompt in prompts.items()}


PLAIN: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string", "description": "Where"}},
        },
    },
}
"""A tool that all write alike."""

VENDORS = {
    "gemma4-large": ("google-gemma-4-31B-it", "<bos>"),
    "glimmer": ("muse-glimmer", "<|begin_of_text|>"),
    "laguna": ("poolside-Laguna-XS.2", "〈|EOS|〉"),
    "nemotron-3-nano": ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", ""),
    "qwen3-coder": ("Qwen3-Coder", ""),
    "qwen3.5": ("Qwen3.5-4B", ""),
}
"""Built-in renderers, and the templates that their formats come from."""

DIFFERS = {
    # another wording before the tools, and a line break before calls
    "qwen3-coder": {name for name, (chat, tools, _) in CHATS.items() if tools or CALL in chat},
    # a level of effort is not what this template asks for
    "glimmer": {name for name, (_, _, think) in CHATS.items() if think in (False, "low")},
    # what opens a thought after a result
    "gemma4-large": {"a result, thinking", "calls again"},
    # no empty thought where thinking is off
    "qwen3.5": {"a result, no thinking"},
}
"""Chats in which the reference, and so Puna, writes something else than the template."""


@pytest.mark.parametrize("name", VENDORS)
def test_built_in_renderers_write_what_the_vendors_templates_do(name: str) -> None:
    stem, bos = VENDORS[name]
    template = ChatTemplate.compile((FOLDER / f"{stem}.jinja").read_text(encoding="utf-8"))
    different = set()
    for chat, (messages, tools, think) in CHATS.items():
        read = [convert(simple(message), Message) for message in messages]
        declared = [PLAIN] if tools else []
        expected = template.render(read, tools=declared, think=think, bos=bos)
        if render(name, read, tools=declared, think=think) != expected:
            different.add(chat)
    assert different <= DIFFERS.get(name, set())


def simple(message: dict[str, Any]) -> dict[str, Any]:
    """The message without what vendors and the reference write in different ways."""
    calls = [
        {**call, "function": {"name": call["function"]["name"], "arguments": {"city": "Oslo"}}}
        for call in message.get("tool_calls", [])
    ]
    text = message["content"].strip()
    return {**message, "content": text, "tool_name": message.get("name", ""), "tool_calls": calls}
