"""Models whose manifest has a Go template: prompts, answers, and which template is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puna.api.events import Content, Done, Thinking, ToolCalls
from tests.prompt.layer.templates import CHATML, FILL_IN_OR_NOT, INST_WITH_RESPONSE, MISTRAL
from tests.service.world import (
    HI,
    JINJA,
    THINKING_JINJA,
    World,
    complaint,
    ending,
    play,
    rendered,
    text_of,
    thoughts_of,
    tiny,
)

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
CALL = '{"name": "add", "arguments": {"a": 1}}'
TOOLS_JINJA = (
    "{% if tools %}{{ tools | tojson }} <tool_call>{name, arguments}</tool_call>{% endif %}"
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)
ROUND_JINJA = TOOLS_JINJA + "{% if tool_calls %}{{ tool_response }}{% endif %}"


def test_a_chat_is_rendered_by_the_manifest(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template=CHATML, system="S")
        prompt = (
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>\n\n"
        )
        shown = await w.chat("go", messages=HI, think=False, _debug_render_only=True)
        assert rendered(shown) == prompt
        assert text_of(await w.chat("go", messages=HI, think=False)) == "four"
        assert w.prompts == [prompt]
        await w.generate("go", prompt="hi", think=False)
        assert w.order.prompt == prompt
        answer = await w.show(model="go")
        assert answer.template == CHATML
        assert answer.capabilities == ["completion", "tools", "thinking"]

    play(tmp_path, scene)


def test_turns_of_a_template_without_messages(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template=INST_WITH_RESPONSE + "</s>")
        talk = [*HI, {"role": "assistant", "content": "A"}, {"role": "user", "content": "U"}]
        await w.chat("go", messages=talk)
        await w.chat("go", messages=talk[:2])
        assert w.prompts == ["[INST] hi [/INST] A</s>[INST] U [/INST] ", "[INST] hi [/INST] A"]

    play(tmp_path, scene)


def test_the_oldest_messages_go_where_the_context_is_short(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template=CHATML)
        said = [{"role": "user", "content": "old " * 100}, {"role": "assistant", "content": "A"}]
        await w.chat("go", messages=[*said, *HI], options={"num_ctx": 200}, think=False)
        assert "old" not in w.order.prompt
        assert "<|im_start|>user\nhi<|im_end|>" in w.order.prompt

    play(tmp_path, scene)


def test_thoughts_are_told_by_the_tags_of_the_template(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        template = "{{ range .Messages }}{{ .Content }}[t]{{ .Thinking }}[/t]{{ end }}"
        await w.install("go", tiny(), template=template)
        w.launcher.will_say("[t]hm", "m[/", "t]four")
        events = await w.chat("go", messages=HI)
        assert (thoughts_of(events), text_of(events)) == ("hmm", "four")
        w.launcher.will_say("[t]hm[/t]four")
        events = await w.chat("go", messages=HI, think=False)
        assert text_of(events) == "[t]hm[/t]four"
        w.launcher.will_say("[t]hm[/t]four")
        assert text_of(await w.generate("go", prompt="x", raw=True)) == "[t]hm[/t]four"

    play(tmp_path, scene)


SAID = {
    "ChatML": (CHATML, f"One moment. <tool_call>\n{CALL}\n</tool_call>", "One moment. "),
    "Mistral": (MISTRAL, f"[TOOL_CALLS] [{CALL}]", ""),
}


@pytest.mark.parametrize(("template", "said", "content"), SAID.values(), ids=SAID)
def test_tool_calls_are_found_by_the_tag_of_the_template(
    tmp_path: Path, template: str, said: str, content: str
) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template=template)
        w.launcher.will_say(*(said[at : at + 3] for at in range(0, len(said), 3)))
        events = await w.chat("go", messages=HI, tools=TOOLS, think=None)
        assert "".join(each.text for each in events if isinstance(each, Content)) == content
        [[call]] = [each.calls for each in events if isinstance(each, ToolCalls)]
        assert (call.function.name, call.function.arguments) == ("add", {"a": 1})
        assert call.id.startswith("call_")
        assert '"add"' in w.order.prompt
        assert w.order.visible[-1] in said
        w.launcher.will_say(said)
        assert text_of(await w.chat("go", messages=HI)) == said

    play(tmp_path, scene)


def test_calls_after_thoughts(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template=CHATML)
        w.launcher.will_say("<think>I add.</think>", f"<tool_call>{CALL}</tool_call>")
        events = await w.chat("go", messages=HI, tools=TOOLS, think=True)
        assert [type(each) for each in events] == [Thinking, ToolCalls, Done]

    play(tmp_path, scene)


def test_insertion(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template=FILL_IN_OR_NOT, system="S")
        await w.generate("go", prompt="a", suffix="b")
        await w.generate("go", prompt="a")
        assert w.prompts == ["<PRE> a <SUF>b <MID>", "a"]
        assert (await w.show(model="go")).capabilities == ["completion", "insert"]
        assert await complaint(w.generate(prompt="a", suffix="b")) == (
            400,
            "registry.ollama.ai/library/m:latest does not support insert",
        )

    play(tmp_path, scene)


@pytest.mark.parametrize("gguf", [tiny(), tiny(template=JINJA)], ids=["bare", "Jinja"])
def test_a_request_may_bring_its_template(tmp_path: Path, gguf: bytes) -> None:
    async def scene(w: World) -> None:
        await w.create("other", **{"from": "m"}, system="S")
        await w.generate("other", prompt="U", template="{{ .System }}|{{ .Prompt }}|")
        assert w.prompts == ["S|U|"]
        w.launcher.will_say("<t>hm</t>", "four")
        template = "{{ range .Messages }}<t>{{ .Thinking }}</t>{{ end }}"
        await w.generate("other", prompt="U", template=template)
        assert w.order.prompt == "<t></t>" * 2

    play(tmp_path, scene, gguf)


def test_a_bad_template_in_a_request(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        assert await complaint(w.generate(prompt="U", template="{{ .Prompt")) == (
            400,
            "template: :1: unclosed action",
        )
        assert await complaint(w.generate(prompt="U", template="{{ index .Prompt 9 }}")) == (
            400,
            'template: :1:3: executing "" at <index .Prompt 9>: error calling index: '
            "index out of range: 9",
        )

    play(tmp_path, scene)


BAD = ["{{ .Prompt", "{{ if .Prompt }}", "{{ Prompt }}", '{{ template "x" }}']


@pytest.mark.parametrize("template", BAD)
def test_bad_templates_are_refused_at_create(tmp_path: Path, template: str) -> None:
    async def scene(w: World) -> None:
        before = w.files()
        status, text = await complaint(w.create("go", **{"from": "m"}, template=template))
        assert status == 400
        assert text.startswith("template error: ")
        assert w.files() == before

    play(tmp_path, scene)


def test_a_bad_template_that_is_installed_is_told_when_it_is_used(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), template="{{ .Prompt }}!")
        [layer] = w.layers("go")["template"]
        path = w.library.blobs.folder / f"sha256-{layer}"
        path.chmod(0o644)
        path.write_text("{{ nope }}")
        assert (await w.show(model="go")).capabilities == ["completion"]
        assert await complaint(w.chat("go", messages=HI)) == (
            400,
            'template: :1: function "nope" not defined',
        )
        assert ending(await w.generate("go", prompt="x", raw=True)).reason == "stop"

    play(tmp_path, scene)


PLAIN_LAYER = "G{{ range .Messages }}{{ .Content }}{{ end }}"
TOOLS_LAYER = PLAIN_LAYER + "{{ .Tools }}"
ROUND_LAYER = TOOLS_LAYER + (
    '{{ range .Messages }}{{ if .ToolCalls }}{{ end }}{{ if eq .Role "tool" }}{{ end }}{{ end }}'
)
CHOICES: dict[str, tuple[str | None, str, dict[str, Any], bool]] = {
    "both the same": (JINJA, PLAIN_LAYER, {}, True),
    "the weights can do more": (TOOLS_JINJA, PLAIN_LAYER, {}, False),
    "the manifest can do more": (JINJA, TOOLS_LAYER, {}, True),
    "each something else": (THINKING_JINJA, TOOLS_LAYER, {}, True),
    "only the manifest goes round": (
        TOOLS_JINJA + THINKING_JINJA,
        ROUND_LAYER,
        {},
        True,
    ),
    "both go round, the weights can do more": (
        ROUND_JINJA + THINKING_JINJA,
        ROUND_LAYER,
        {},
        False,
    ),
    "only the weights go round": (ROUND_JINJA, TOOLS_LAYER, {}, False),
    "both go round": (ROUND_JINJA, ROUND_LAYER, {}, True),
    "forced to the manifest": (TOOLS_JINJA, PLAIN_LAYER, {"go_template": True}, True),
    "forced to the weights": (JINJA, TOOLS_LAYER, {"go_template": False}, False),
    "there is no other": (None, PLAIN_LAYER, {"go_template": False}, True),
}


@pytest.mark.parametrize(("jinja", "layer", "settings", "is_layer"), CHOICES.values(), ids=CHOICES)
def test_which_template_is_used(
    tmp_path: Path, jinja: str | None, layer: str, settings: dict[str, Any], is_layer: bool
) -> None:
    async def scene(w: World) -> None:
        await w.install("both", tiny(template=jinja), template=layer)
        await w.chat("both", messages=HI, think=None)
        assert w.order.prompt.startswith("G") is is_layer
        answer = await w.show(model="both")
        assert answer.template == (layer if is_layer else jinja)
        assert f"TEMPLATE {layer}" in answer.modelfile or '"""' in answer.modelfile

    play(tmp_path, scene, **settings)
