"""Tools: declared in the prompt, called in the answer, by models whose template can."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from puna.api.events import Content, Done, Thinking, ToolCalls
from tests.service.world import THINKING_JINJA, World, complaint, ending, play, tiny

TOOLS_JINJA = (
    "{% if tools %}{{ tools | tojson }} <tool_call>{name, arguments}</tool_call>{% endif %}"
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"
)
GGUF = tiny(template=TOOLS_JINJA)
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {}}}},
    }
]
HI = [{"role": "user", "content": "hi"}]
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'


def test_a_call_becomes_an_event_with_an_id(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say("One mo", "ment. <tool", "_call>", CALL.removeprefix("<tool_call>"))
        events = await w.chat(messages=HI, tools=TOOLS)
        text = "".join(each.text for each in events if isinstance(each, Content))
        assert text == "One moment."
        [calls] = [each.calls for each in events if isinstance(each, ToolCalls)]
        [call] = calls
        assert (call.function.index, call.function.name) == (0, "add")
        assert call.function.arguments == {"a": 1}
        assert re.fullmatch(r"call_[a-z0-9]{8}", call.id)
        assert ending(events).reason == "stop"
        assert '"name": "add"' in w.order.prompt

    play(tmp_path, scene, GGUF)


def test_without_tools_the_answer_stays_as_it_is(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say(CALL)
        events = await w.chat(messages=HI)
        assert [each.text for each in events if isinstance(each, Content)] == [CALL]

    play(tmp_path, scene, GGUF)


def test_an_unfinished_call_is_text(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say('<tool_call>{"name')
        events = await w.chat(messages=HI, tools=TOOLS)
        text = "".join(each.text for each in events if isinstance(each, Content))
        assert text == '<tool_call>{"name'
        assert isinstance(events[-1], Done)

    play(tmp_path, scene, GGUF)


def test_calls_after_thoughts(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        w.launcher.will_say("<think>I add.</think>", CALL)
        events = await w.chat(messages=HI, tools=TOOLS, think=True)
        assert [type(each) for each in events] == [Thinking, ToolCalls, Done]

    play(tmp_path, scene, tiny(template=TOOLS_JINJA + THINKING_JINJA))


def test_the_history_of_calls_reaches_the_prompt(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        call = {"function": {"name": "add", "arguments": {"a": 7}}}
        said = [*HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": "8"}]
        await w.chat(messages=said, tools=TOOLS)
        assert w.order.prompt.endswith('[user]hi[assistant]{"a": 7}[tool]8')

    play(tmp_path, scene, GGUF)


def test_models_that_cannot_are_asked_in_vain(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.chat(messages=HI, tools=TOOLS)) == (
            400,
            "registry.ollama.ai/library/m:latest does not support tools",
        )
        assert "tools" not in (await w.show(model="m")).capabilities

    play(tmp_path, scene)


def test_show_promises_tools(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert (await w.show(model="m")).capabilities == ["tools", "completion"]

    play(tmp_path, scene, GGUF)
