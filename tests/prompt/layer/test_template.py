"""Prompts of template layers: turns, systems, tools, thoughts (prompting spec, 1.2 to 1.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from puna.api.requests import FunctionCall, Message, ToolCall
from puna.errors import TemplateError
from puna.prompt.gotemplate import Template
from puna.prompt.layer import PLAIN, LayerTemplate
from puna.prompt.layer.functions import make_functions
from tests.prompt.layer import templates

Chat = list[tuple[str, str]]

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "How it is <outside>",
        "parameters": {
            "type": "object",
            "required": ["place"],
            "properties": {
                "place": {"type": "string", "description": "where", "minLength": 1},
                "days": {"type": ["integer", "null"], "enum": [1, 2]},
            },
        },
    },
}
WEATHER_FUNCTION = (
    '{"name":"weather","description":"How it is \\u003coutside\\u003e","parameters":'
    '{"type":"object","required":["place"],"properties":{"days":{"type":["integer","null"],"enum":[1,2]},'
    '"place":{"type":"string","description":"where"}}}}'
)
WEATHER_JSON = '{"type":"function","function":' + WEATHER_FUNCTION + "}"
BARE: dict[str, Any] = {"type": "function", "function": {"name": "f", "description": "d"}}
BARE_JSON = (
    '[{"type":"function","function":{"name":"f","description":"d",'
    '"parameters":{"type":"","properties":null}}}]'
)


def said(chat: Chat) -> list[Message]:
    return [Message(role=role, content=text) for role, text in chat]


def render(source: str, chat: Chat, **more: Any) -> str:
    return LayerTemplate.parse(source).render_chat(said(chat), **more)


PLAIN_CASES: dict[str, tuple[Chat, str]] = {
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


@pytest.mark.parametrize(("chat", "prompt"), PLAIN_CASES.values(), ids=PLAIN_CASES)
def test_the_bare_template(chat: Chat, prompt: str) -> None:
    assert render(PLAIN, chat) == prompt


INST = [
    templates.INST_WITHOUT_RESPONSE,
    templates.INST_WITH_RESPONSE,
    templates.INST_WITH_MESSAGES,
]


@pytest.mark.parametrize("source", INST)
def test_three_ways_to_write_a_template_give_the_same(source: str) -> None:
    chat = [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert render(source, chat) == "[INST] a [/INST] b[INST] c [/INST] "
    chat = [("system", "s"), ("user", "a")]
    assert render(source, chat) == "[INST] <<SYS>>s<</SYS>> a [/INST] "


def test_a_system_message_in_the_middle_belongs_to_the_next_turn() -> None:
    chat = [("user", "a"), ("system", "s"), ("user", "b")]
    prompt = render(templates.INST_WITH_RESPONSE, chat)
    assert prompt == "[INST] a [/INST] [INST] <<SYS>>s<</SYS>> b [/INST] "


CUTS = {
    "text behind": ("<{{ .Prompt }}>{{ .Response }}</s>", "<a>b"),
    "in a branch": ("{{ if .Response }}[{{ .Response }}]{{ end }}</s>", "[b"),
    "with another branch": ("{{ if .Response }}[{{ .Response }}]{{ else }}-{{ end }}</s>", "[b"),
    "in the other branch": ("{{ if .Nope }}-{{ else }}[{{ .Response }}]{{ end }}</s>", "[b"),
    "an inner branch": ("{{ with .Prompt }}{{ if . }}{{ $.Response }}{{ end }}!{{ end }}</s>", "b"),
    "a condition is no print": ("{{ if .Response }}+{{ end }}{{ .Response }}</s>", "+b"),
    "by a function": ('{{ printf "%s!" .Response }}</s>', "b!"),
}


@pytest.mark.parametrize(("source", "prompt"), CUTS.values(), ids=CUTS)
def test_a_last_answer_is_a_beginning(source: str, prompt: str) -> None:
    assert render(source, [("user", "a"), ("assistant", "b")]) == prompt


COLLATED: dict[str, tuple[Chat, str]] = {
    "one role in a row": ([("user", "a"), ("user", "b")], "<user:a\n\nb>"),
    "tool results": ([("tool", "a"), ("tool", "b")], "<tool:a><tool:b>"),
    "systems": (
        [("system", "s"), ("user", "a"), ("system", "t"), ("system", "u")],
        "s\n\nt\n\nu<system:s><user:a><system:t\n\nu>",
    ),
    "an empty chat": ([], ""),
}


@pytest.mark.parametrize(("chat", "prompt"), COLLATED.values(), ids=COLLATED)
def test_messages_are_collated(chat: Chat, prompt: str) -> None:
    source = "{{ .System }}{{ range .Messages }}<{{ .Role }}:{{ .Content }}>{{ end }}"
    assert render(source, chat) == prompt


TALK: Chat = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
STYLES = {
    "ChatML": (
        templates.CHATML,
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "Llama 3": (
        templates.LLAMA,
        "<|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "Mistral": (templates.MISTRAL, "[INST] Hi[/INST] Hello</s>[INST] Be kind.\n\nBye[/INST]"),
}


@pytest.mark.parametrize(("source", "prompt"), STYLES.values(), ids=STYLES)
def test_styles_of_published_templates(source: str, prompt: str) -> None:
    assert render(source, TALK) == prompt


CALLED = [
    Message(role="user", content="Weather?"),
    Message(
        role="assistant",
        tool_calls=[
            ToolCall(
                id="c1",
                function=FunctionCall(name="weather", arguments={"place": "<A>", "days": 2}),
            )
        ],
    ),
    Message(role="tool", content="mild", tool_name="weather", tool_call_id="c1"),
]
ROUNDS = {
    "ChatML": (
        templates.CHATML,
        '<|im_start|>system\n\n# Tools\n<tools>\n{"type": "function", "function": '
        + WEATHER_FUNCTION
        + "}\n</tools><|im_end|>\n<|im_start|>user\nWeather?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "weather", "arguments": '
        '{"days":2,"place":"\\u003cA\\u003e"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nmild\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "Mistral": (
        templates.MISTRAL,
        "[INST] Weather?[/INST]"
        '[TOOL_CALLS] [{"name": "weather", "arguments": {"days":2,"place":"\\u003cA\\u003e"}}]</s>'
        '[TOOL_RESULTS] {"content": mild}[/TOOL_RESULTS]',
    ),
}


@pytest.mark.parametrize(("source", "prompt"), ROUNDS.values(), ids=ROUNDS)
def test_calls_and_results_in_the_history(source: str, prompt: str) -> None:
    assert LayerTemplate.parse(source).render_chat(CALLED, tools=[WEATHER]) == prompt


VALUES: dict[str, tuple[str, str]] = {
    "all tools": ("{{ .Tools }}", f"[{WEATHER_JSON}]"),
    "all tools as JSON": ("{{ json .Tools }}", f"[{WEATHER_JSON}]"),
    "one tool": ("{{ range .Tools }}{{ . }}{{ end }}", WEATHER_JSON),
    "a function alone": ("{{ (index .Tools 0).Function }}", WEATHER_FUNCTION),
    "types": (
        "{{ range $n, $p := (index .Tools 0).Function.Parameters.Properties }}"
        "{{ $n }} {{ $p.Type }} {{ toTypeScriptType $p }};{{ end }}",
        "days [integer null] number | null;place string string;",
    ),
    "required": ("{{ (index .Tools 0).Function.Parameters.Required }}", "[place]"),
    "no type": ('{{ toTypeScriptType "x" }}', "any"),
    "arguments": (
        "{{ range .Messages }}{{ range .ToolCalls }}{{ .ID }}{{ .Function.Arguments.days }}"
        "{{ .Function.Index }}{{ .Function.Arguments }}{{ end }}{{ end }}",
        'c120{"days":2,"place":"\\u003cA\\u003e"}',
    ),
    "a call": (
        "{{ range .Messages }}{{ range .ToolCalls }}{{ json . }}{{ end }}{{ end }}",
        '{"id":"c1","function":{"index":0,"name":"weather",'
        '"arguments":{"days":2,"place":"\\u003cA\\u003e"}}}',
    ),
    "a message": (
        "{{ json (index .Messages 2) }}",
        '{"role":"tool","content":"mild","tool_name":"weather","tool_call_id":"c1"}',
    ),
    "who answers": (
        "{{ range .Messages }}{{ .ToolName }}{{ .ToolCallID }}{{ end }}",
        "weatherc1",
    ),
    "what is not there": ("{{ .Messages | len }}{{ .Nope }}", "3<no value>"),
    "plain JSON": ('{{ .Messages | len }}{{ json "<a>" }}{{ json nil }}', '3"\\u003ca\\u003e"null'),
}


@pytest.mark.parametrize(("source", "text"), VALUES.values(), ids=VALUES)
def test_what_templates_see(source: str, text: str) -> None:
    source += "{{ if .Messages }}{{ end }}"
    assert LayerTemplate.parse(source).render_chat(CALLED, tools=[WEATHER]) == text


def test_a_tool_without_parameters() -> None:
    source = "{{ .Tools }}{{ range .Messages }}{{ end }}"
    assert LayerTemplate.parse(source).render_chat(CALLED, tools=[BARE]) == BARE_JSON


@pytest.mark.parametrize(
    "tool", [{}, {"function": 1}, {"function": {"parameters": []}}, {"type": None}]
)
def test_tools_that_are_none_do_no_harm(tool: dict[str, Any]) -> None:
    text = render("{{ .Tools }}{{ range .Messages }}{{ end }}", [("user", "a")], tools=[tool])
    assert text.startswith('[{"type":""')


THINKS: dict[str, tuple[bool | str | None, str]] = {
    "not said": (None, "false||false"),
    "no": (False, "false||true"),
    "yes": (True, "true|medium|true"),
    "a level": ("high", "true|high|true"),
}


@pytest.mark.parametrize(("think", "text"), THINKS.values(), ids=THINKS)
def test_think_values(think: bool | str | None, text: str) -> None:
    source = "{{ .Think }}|{{ .ThinkLevel }}|{{ .IsThinkSet }}"
    layer = LayerTemplate.parse(source)
    assert layer.render_chat([], think=think) == text
    assert layer.render_suffix("a", "b", think=think) == text
    assert render(source + "{{ range .Messages }}{{ end }}", [("user", "")], think=think) == text


def test_filling_in() -> None:
    for source in (templates.FILL_IN, templates.FILL_IN_OR_NOT):
        assert LayerTemplate.parse(source).render_suffix("a", "b") == "<PRE> a <SUF>b <MID>"
    assert render(templates.FILL_IN_OR_NOT, [("user", "a")]) == "a"


def test_dates() -> None:
    functions = make_functions(now=lambda: datetime(2024, 3, 1, 12))
    template = Template.parse('{{ currentDate }} {{ yesterdayDate "x" }}', functions=functions)
    assert template.execute(None) == "2024-03-01 2024-02-29"


BAD = {
    "{{ .Prompt": "template: :1: unclosed action",
    "{{ if .Prompt }}": "template: :1: unexpected EOF",
    "{{ Prompt }}": 'template: :1: function "Prompt" not defined',
    '{{ template "x" }}': "undefined template specified",
    '{{ if .A }}{{ template "x" }}{{ end }}': "undefined template specified",
}


@pytest.mark.parametrize(("source", "problem"), BAD.items(), ids=BAD)
def test_bad_templates(source: str, problem: str) -> None:
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(TemplateError) as caught:
            LayerTemplate.parse(source)
        assert str(caught.value) == problem


def test_templates_that_fail() -> None:
    layer = LayerTemplate.parse("{{ range .Messages }}{{ .Name }}{{ end }}")
    with pytest.raises(TemplateError) as caught:
        layer.render_chat(said([("user", "a")]))
    assert str(caught.value) == (
        'template: :1:24: executing "" at <.Name>: can\'t evaluate field Name in type *api.Message'
    )
