"""Whole answers as grammars: what they leave is read by the same family's parser."""

from __future__ import annotations

from typing import Any

import pytest

from puna.prompt.outline import AnswerForm, make_outline
from puna.prompt.parsers import MARKS, NAMED, Family, Turn
from puna.prompt.parsers.family import Lead
from puna.prompt.parsers.qwen import HERMES
from puna.prompt.tagcalls import TagCallSplitter, call_form
from tests.prompt.parsers.reading import TOOLS, read
from tests.prompt.walking import fits, wander

FAMILIES = {"hermes": HERMES, **NAMED, **{" ".join(marks.texts): marks.family for marks in MARKS}}
DISTINCT = {name: FAMILIES[name] for name in {id(f): n for n, f in FAMILIES.items()}.values()}
CALLING = {name: family for name, family in DISTINCT.items() if family.has_tools}

ASKED = Turn(think=True, has_tools=True, last="user")
PLAIN = Turn(think=False, has_tools=True, last="user")
OPENED = Turn(think=True, has_tools=True, last="user", opens_thinking=True)
CLOSED = Turn(think=True, has_tools=True, last="user", opens_thinking=False)

RICH: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "do-it",
            "parameters": {
                "type": "object",
                "properties": {
                    "kind": {"enum": ["small", "big"]},
                    "level": {"enum": [1, 2]},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "sizes": {"type": "array", "items": {"type": "number"}},
                    "place": {"$ref": "#/$defs/place"},
                    "any": {},
                },
                "required": ["level", "place"],
                "$defs": {
                    "place": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "far": {"type": ["boolean", "null"]},
                        },
                        "required": ["name"],
                    }
                },
            },
        },
    }
]


def is_right(name: str, arguments: dict[str, Any]) -> bool:
    """Whether a call is one that the tools allow. Between tags, a text `null` is none."""
    match name, arguments:
        case "rain", {"city": str() | None, **more}:
            kinds = {"days": int, "exact": bool, "area": object}
            return all(isinstance(value, kinds[key]) for key, value in more.items())
        case "now", _:
            return True
        case "do-it", {"level": 1 | 2, "place": {"name": str()}, **more}:
            kind, sizes = more.get("kind", "big"), more.get("sizes", [])
            return kind in {"small", "big"} and all(isinstance(n, int | float) for n in sizes)
    return False


@pytest.mark.parametrize("turn", [ASKED, PLAIN, OPENED, CLOSED], ids=["asked", "no", "in", "out"])
@pytest.mark.parametrize("family", CALLING.values(), ids=CALLING)
def test_what_a_forced_call_may_be_is_read_as_one(family: Family, turn: Turn) -> None:
    for tools in (TOOLS, RICH):
        outline = make_outline(AnswerForm.of(family, turn), tools, must_call=True)
        for seed in range(2):
            text = wander(outline, seed)
            if text is None:
                continue
            events = read(family, [text], turn, tools=tools)
            calls = [event for event in events if event[0] not in {"content", "thinking"}]
            assert calls, text
            assert all(is_right(*call) for call in calls), (text, calls)
            assert "content" not in [event[0] for event in events], (text, events)
            assert events.count(("thinking", "")) == 0


@pytest.mark.parametrize("family", CALLING.values(), ids=CALLING)
def test_one_call_may_be_all_there_is(family: Family) -> None:
    outline = make_outline(AnswerForm.of(family, PLAIN), TOOLS, must_call=True, calls_once=True)
    for seed in range(3):
        text = wander(outline, seed)
        if text is not None:
            kinds = [kind for kind, _ in read(family, [text], PLAIN)]
            assert len([kind for kind in kinds if kind != "thinking"]) == 1


THOUGHTS: dict[str, tuple[str, Turn, list[str], list[str]]] = {
    "thoughts that the prompt begins": (
        "qwen3-thinking",
        ASKED,
        ["hm < b</think>!", "</think>\n\n!", "<think>hm</think> !"],
        ["!", "hm", "hm</think>no", "hm <tool_call></think>!"],
    ),
    "thoughts that may come": (
        "lfm2-thinking",
        ASKED,
        ["<think>\nhm</think>\n!", "!", "\n <think></think>!"],
        ["hm</think>!", "<think>!", "hm"],
    ),
    "a channel": (
        "harmony",
        Turn(last="user"),
        [
            "<|channel|>final<|message|>!",
            "<|channel|>final <|constrain|>json<|message|>!",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>!",
        ],
        ["!", "<|channel|>analysis<|message|>!", "<|channel|>commentary<|message|>!"],
    ),
    "a channel that goes on": (
        "harmony",
        Turn(last="thoughts"),
        ["hm<|end|><|start|>assistant<|channel|>final<|message|>!"],
        ["<|channel|>final<|message|>!"],
    ),
    "blocks": (
        "cohere",
        ASKED,
        [
            "hm<|END_THINKING|><|START_TEXT|>!<|END_TEXT|>",
            "hm<|END_THINKING|>\n<|START_RESPONSE|>!<|END_RESPONSE|>",
        ],
        ["hm<|END_THINKING|>!", "<|START_TEXT|>!<|END_TEXT|>"],
    ),
    "a channel of Gemma's": (
        "gemma4",
        ASKED,
        ["<|channel>thought\nhm<channel|>!", "!"],
        ["<|channel>thought\n!"],
    ),
    "messages to recipients": (
        "glimmer",
        ASKED,
        [
            " to=self<|message|>hm<|eom|><|start|>assistant to=user<|message|>!",
            " to=user<|message|>!",
        ],
        ["!", " to=self<|message|>!"],
    ),
    "Mistral's": ("[TOOL_CALLS]", CLOSED, ["[THINK]hm[/THINK]!", "!"], ["[THINK]!"]),
}


@pytest.mark.parametrize(("name", "turn", "right", "wrong"), THOUGHTS.values(), ids=THOUGHTS)
def test_thoughts_are_free_and_what_follows_is_held(
    name: str, turn: Turn, right: list[str], wrong: list[str]
) -> None:
    family = FAMILIES[name]
    outline = make_outline(AnswerForm.of(family, turn), is_held=True)
    assert [text for text in right if not fits(outline, text)] == []
    assert [text for text in wrong if fits(outline, text)] == []
    for text in right:
        kinds = [kind for kind, _ in read(family, [text], turn)]
        assert kinds in (["thinking", "content"], ["content"])
        assert dict(read(family, [text], turn))["content"] == "!"


@pytest.mark.parametrize("name", ["qwen3-coder", "functiongemma", "passthrough", "qwen3-thinking"])
def test_without_thoughts_the_answer_is_all_there_is(name: str) -> None:
    assert make_outline(AnswerForm.of(FAMILIES[name], PLAIN), is_held=True) == ""
    assert make_outline(AnswerForm.of(FAMILIES[name], ASKED)) == ""


def test_an_answer_that_goes_on_is_content() -> None:
    for family in CALLING.values():
        form = AnswerForm.of(family, Turn(think=True, last="prefill"))
        assert make_outline(form, is_held=True) == ""


def test_with_tools_a_held_answer_may_be_a_call() -> None:
    form = AnswerForm.of(HERMES, PLAIN)
    outline = make_outline(form, TOOLS, is_held=True)
    call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert fits(outline, "!")
    assert fits(outline, call)
    assert not fits(outline, call + "!")
    llama = AnswerForm.of(FAMILIES["<|python_tag|> .call("], PLAIN)  # whose calls are bare JSON
    assert make_outline(llama, TOOLS, is_held=True) == ""


LAYER_TAGS = {
    "tags": ("<tool_call>", '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'),
    "a brace": ("{", '{"name": "now", "arguments": {}}'),
    "a bracket": ("[", '[{"name": "now", "arguments": {}}]'),
    "a word and a bracket": ("[TOOL_CALLS] [", '[TOOL_CALLS] [{"name": "now", "arguments": {}}]'),
    "a fence": ("```json", '```json\n{"name": "now", "arguments": {}}\n```'),
}


@pytest.mark.parametrize(("tag", "text"), LAYER_TAGS.values(), ids=LAYER_TAGS)
def test_calls_by_the_tag_of_a_go_template(tag: str, text: str) -> None:
    form = AnswerForm(calls=call_form(tag, ""))
    outline = make_outline(form, TOOLS, must_call=True)
    assert fits(outline, text)
    for seed in range(5):
        written = wander(outline, seed)
        splitter = TagCallSplitter(tag, ["rain", "now"])
        assert written is None or splitter.push(written)
    older = call_form(tag, '{"name": "{{ .Function.Name }}", "parameters": {{ .Arguments }}}')
    outline = make_outline(AnswerForm(calls=older), TOOLS, must_call=True)
    assert fits(outline, text.replace("arguments", "parameters"))


def test_thoughts_between_tags_that_a_template_shows() -> None:
    form = AnswerForm(Lead("<think>", "</think>", is_optional=True))
    assert fits(make_outline(form, is_held=True), "<think>a</think>!")
