"""What is read off template layers: variables, tags of thoughts and of calls."""

from __future__ import annotations

import pytest

from puna.prompt.layer import LayerTemplate
from tests.prompt.layer import templates

VARIABLES = {
    "{{ .Prompt }}": "prompt response",
    "{{ range .Messages }}{{ .Role }} {{ .Content }}{{ end }}": "content messages role",
    "{{ if .System }}{{ else }}{{ .Suffix }}{{ end }}{{ .Response }}": "response suffix system",
    "{{ $x := .A.B }}{{ $x.C | printf .D }}{{ (.E).F }}{{ .Response }}": "$x a b c d e f response",
    '{{ define "t" }}{{ .Tools }}{{ end }}{{ template "t" $.Messages }}': "$ messages tools",
    "text": "response",
}


@pytest.mark.parametrize(("source", "names"), VARIABLES.items(), ids=VARIABLES)
def test_variables(source: str, names: str) -> None:
    assert LayerTemplate.parse(source).variables == set(names.split())


CALLS_TEST = "{{ range .Messages }}{{ if .ToolCalls }}%s{{ end }}{{ end }}"
EACH = "{{ range .ToolCalls }}%s{{ end }}"
TOOL_TAGS = {
    "a list": (CALLS_TEST % ("[TOOL_CALLS] [" + EACH % "{{ . }}" + "]"), "[TOOL_CALLS] ["),
    "a tag for each": (CALLS_TEST % (EACH % '<tool_call>\n{"name": 1}'), "<tool_call>"),
    "a fence": (CALLS_TEST % ("Action: ```json\r\n" + EACH % "{{ . }}"), "Action: ```json"),
    "a word": (CALLS_TEST % ("functools[" + EACH % "{{ . }}"), "functools["),
    "bare objects": (CALLS_TEST % '{"name": 1}', "{"),
    "a bare list": (CALLS_TEST % ("[" + EACH % "{{ . }}" + "]"), "["),
    "printed at once": (CALLS_TEST % (EACH % "{{ . }}" + "]"), "{"),
    "the first text counts": (CALLS_TEST % "First{{ if .X }}Second text{{ end }}", "First"),
    "variables print nothing": (CALLS_TEST % "{{ $x := 1 }}<call>", "<call>"),
    "a construct without text": (CALLS_TEST % "{{ if .X }}{{ end }}<call>", "{"),
    "wide signs": (CALLS_TEST % "<tool▁calls▁begin>", "<tool▁calls▁begin>"),
    "by a variable": ("{{ range $m := .X }}{{ if $m.ToolCalls }}<c>{{ end }}{{ end }}", "<c>"),
    "in an else": ("{{ if .A }}{{ else if .ToolCalls }}<c>{{ end }}{{ .Response }}", "<c>"),
    "none": ("{{ .Prompt }}", "{"),
    "ChatML": (templates.CHATML, "<tool_call>"),
    "Llama 3": (templates.LLAMA, "{"),
    "Mistral": (templates.MISTRAL, "[TOOL_CALLS] ["),
}  # fmt: skip


@pytest.mark.parametrize(("source", "tag"), TOOL_TAGS.values(), ids=TOOL_TAGS)
def test_tags_of_tool_calls(source: str, tag: str) -> None:
    assert LayerTemplate.parse(source).tool_tag == tag


THOUGHT = "{{ if .Thinking }} <think>\n{{ .Thinking }}\n</think> {{ end }}"
THINKING_TAGS = {
    "around the thought": (
        "{{ range .Messages }}" + THOUGHT + "{{ end }}",
        ("<think>", "</think>"),
    ),
    "deeper": (
        "{{ range .Messages }}{{ if .A }}{{ else }}" + THOUGHT + "{{ end }}{{ end }}",
        ("<think>", "</think>"),
    ),
    "the last place counts": (
        "{{ range .Messages }}{{ if .A }}[{{ .Thinking }}]{{ end }}" + THOUGHT + "{{ end }}",
        ("<think>", "</think>"),
    ),
    "of a variable": ("{{ range $m := .Messages }}<t>{{ $m.Thinking }}</t>{{ end }}", None),
    "in another loop": (
        "{{ range .Messages }}{{ range .X }}<t>{{ .Thinking }}</t>{{ end }}{{ end }}",
        None,
    ),
    "in no loop": ("<t>{{ .Thinking }}</t>{{ range .Messages }}{{ end }}", None),
    "without text": ("{{ range .Messages }}{{ .Thinking }}{{ end }}", None),
    "not at all": ("{{ range .Messages }}<t>{{ .Content }}</t>{{ end }}", None),
    "ChatML": (templates.CHATML, ("<think>", "</think>")),
}


@pytest.mark.parametrize(("source", "tags"), THINKING_TAGS.values(), ids=THINKING_TAGS)
def test_tags_of_thoughts(source: str, tags: tuple[str, str] | None) -> None:
    assert LayerTemplate.parse(source).thinking_tags == tags
