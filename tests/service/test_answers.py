"""Which parser reads an answer: the manifest's, else the one of the template's marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.api.events import Content, ToolCalls
from puna.errors import BadToolCall
from tests.prompt.walking import fits
from tests.service.test_layers import TOOLS
from tests.service.world import HI, World, play, text_of, thoughts_of, tiny

CALL = '{"name": "add", "arguments": {"a": 1}}'
FRAMED = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>four"
HARMONY_LAYER = "{{ range .Messages }}<|start|>{{ .Role }}{{ .Content }}<|end|>{{ end }}"
MISTRAL_JINJA = (
    "{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}{% endif %}"
    "{% for m in messages %}{{ m.content }}{% if m.tool_calls %}[TOOL_CALLS]{% endif %}{% endfor %}"
)


def test_the_manifest_names_the_parser(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(), parser="qwen3-thinking")
        assert (await w.show(model="m")).capabilities == ["completion", "tools", "thinking"]
        w.launcher.will_say("hm", "m</thi", f"nk>four<tool_call>{CALL}", "</tool_call>")
        events = await w.chat("m", messages=HI, tools=TOOLS)
        assert (thoughts_of(events), text_of(events)) == ("hmm", "four")
        [[call]] = [each.calls for each in events if isinstance(each, ToolCalls)]
        assert (call.function.name, call.function.arguments) == ("add", {"a": 1})
        assert call.id.startswith("call_")
        assert {"<think>", "</think>", "<tool_call>", "</tool_call>"} <= set(w.order.visible)

    play(tmp_path, scene)


def test_a_call_that_cannot_be_read_ends_the_answer(tmp_path: Path) -> None:
    """64"""

    async def scene(w: World) -> None:
        await w.install("m", tiny(), parser="qwen3-coder")
        w.launcher.will_say("a ", "<tool_call>x</tool_call>", "b")
        with pytest.raises(BadToolCall, match="malformed"):
            await w.chat("m", messages=HI, tools=TOOLS)

    play(tmp_path, scene)


def test_an_unknown_parser_changes_nothing(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(), parser="nobody's")
        w.launcher.will_say("<think>hm</think>")
        assert text_of(await w.chat("m", messages=HI)) == "<think>hm</think>"
        assert (await w.show(model="m")).capabilities == ["completion"]

    play(tmp_path, scene)


def test_gpt_oss_needs_no_name(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(arch="gpt-oss"), template=HARMONY_LAYER)
        w.launcher.will_say(*FRAMED)
        events = await w.chat("m", messages=HI)
        assert (thoughts_of(events), text_of(events)) == ("hm", "four")
        w.launcher.will_say(FRAMED)
        raw = await w.generate("m", prompt="x", raw=True)
        assert text_of(raw) == FRAMED

    play(tmp_path, scene)


def test_a_template_shows_its_family(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(template=MISTRAL_JINJA))
        assert (await w.show(model="m")).capabilities == ["tools", "completion"]
        w.launcher.will_say("One moment. [TOOL", f"_CALLS][{CALL}]")
        events = await w.chat("m", messages=HI, tools=TOOLS)
        assert text_of(events) == "One moment."
        assert [type(each) for each in events[:-1]] == [Content, ToolCalls]
        w.launcher.will_say("[TOOL_CALLS]no call")
        assert text_of(await w.chat("m", messages=HI, tools=TOOLS)) == "[TOOL_CALLS]no call"

    play(tmp_path, scene)


HARMONY_TOOLS_LAYER = (
    HARMONY_LAYER + "{{ .ThinkLevel }}{{ range .Tools }}[{{ .Function.Name }}]{{ end }}"
    "{{ range .Messages }}{{ range .ToolCalls }}({{ .Function.Name }}){{ end }}"
    "<{{ .ToolName }}>{{ end }}"
)


def test_gpt_oss_calls_tools_by_identifiers(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("m", tiny(arch="gpt-oss"), template=HARMONY_TOOLS_LAYER)
        tools = [{"type": "function", "function": {"name": "my.add-it"}}]
        called = {"function": {"name": "my.add-it", "arguments": {}}}
        said = [
            *HI,
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_name": "my.add-it", "content": "3"},
        ]
        w.launcher.will_say(
            "<|channel|>commentary to=functions.my_add_it <|constrain|>json<|message|>{}"
        )
        events = await w.chat("m", messages=said, tools=tools, think="max")
        [[call]] = [each.calls for each in events if isinstance(each, ToolCalls)]
        assert call.function.name == "my.add-it"
        assert w.order.prompt.endswith("high[my_add_it]<>(my_add_it)<><my_add_it>")
        await w.chat("m", messages=said, tools=tools, tool_choice="required")
        head = "<|channel|>commentary to=functions.{} <|constrain|>json<|message|>{{}}"
        assert fits(w.order.outline, head.format("my_add_it"))
        assert not fits(w.order.outline, head.format("my.add-it"))

    play(tmp_path, scene)
