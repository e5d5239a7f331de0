"""Models whose manifest names a renderer: which of them are rendered by it."""

from __future__ import annotations

from pathlib import Path

from puna.api.events import ToolCalls
from tests.service.test_tools import TOOLS
from tests.service.world import (
    HI,
    JINJA,
    World,
    complaint,
    play,
    rendered,
    text_of,
    thoughts_of,
    tiny,
)

QWEN = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_a_file_without_a_template_is_rendered_by_name(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("named", tiny(), renderer="qwen3-coder", parser="qwen3-coder")
        assert text_of(await w.chat("named", messages=HI)) == "four"
        await w.generate("named", prompt="hi")
        assert w.prompts == [QWEN, QWEN]
        w.launcher.will_say(
            "Sum.<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n",
            "</tool_call>",
        )
        events = await w.chat("named", messages=HI, tools=TOOLS)
        [calls] = [each.calls for each in events if isinstance(each, ToolCalls)]
        assert calls[0].function.name == "add"
        assert "<function>\n<name>add</name>" in w.order.prompt

    play(tmp_path, scene)


def test_thoughts_of_a_rendered_chat_are_told_apart(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("named", tiny(), renderer="glm-4.7", parser="glm-4.7")
        w.launcher.will_say("Hm.</think>", "Four.")
        events = await w.chat("named", messages=HI)
        assert w.order.prompt == "[gMASK]<sop><|user|>hi<|assistant|><think>"
        assert (thoughts_of(events), text_of(events)) == ("Hm.", "Four.")

    play(tmp_path, scene)


def test_the_files_own_template_comes_first(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("both", tiny(template=JINJA), renderer="qwen3-coder")
        await w.install("all", tiny(template=JINJA), renderer="r", template="{{ .Prompt }}!")
        for model in ("both", "all"):
            shown = await w.chat(model, messages=HI, _debug_render_only=True)
            assert rendered(shown) == "[user]hi"

    play(tmp_path, scene)


def test_a_go_template_beside_a_renderer_is_for_insertion_and_requests(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("go", tiny(), renderer="qwen3-coder", template="<{{ .Prompt }}>")
        shown = await w.chat("go", messages=HI, _debug_render_only=True)
        assert rendered(shown) == QWEN
        own = await w.generate(
            "go", prompt="hi", template="{{ .Prompt }}?", _debug_render_only=True
        )
        assert rendered(own) == "hi?"
        assert (await w.show(model="go")).template == "<{{ .Prompt }}>"

    play(tmp_path, scene)


def test_the_size_of_gemma4_is_read_off_its_name(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        for model, opening in (("g:e4b", ""), ("g:31b", "<|channel>thought\n<channel|>")):
            await w.install(model, tiny(arch="gemma4"))
            shown = await w.chat(model, messages=HI, think=False, _debug_render_only=True)
            assert rendered(shown) == f"<bos><|turn>user\nhi<turn|>\n<|turn>model\n{opening}"

    play(tmp_path, scene)


def test_a_renderer_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    async def scene(w: World) -> None:
        await w.install("named", tiny(), renderer="r")
        assert await complaint(w.chat("named", messages=HI)) == (400, 'unknown renderer "r"')

    play(tmp_path, scene)
