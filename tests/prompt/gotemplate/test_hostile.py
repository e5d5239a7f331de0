"""Templates that mean harm: each costs an error, in time and within the limits."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.prompt.gotemplate import GoTemplateError, Limits, ParseError, Template
from tests.prompt.gotemplate.values import DATA, FUNCTIONS

DOUBLES = '{{ $x := "xxxxxxxx" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}'

CALLS_ITSELF = '{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}'
DOUBLING_CALLS = '{{ define "t40" }}{{ end }}{{ template "t0" }}' + "".join(
    f'{{{{ define "t{n}" }}}}' + 2 * f'{{{{ template "t{n + 1}" }}}}' + "{{ end }}"
    for n in range(40)
)

EXPENSIVE = {
    "a loop": ("{{ range 1000000000 }}{{ end }}", "steps"),
    "loops in loops": ("{{ range 10000 }}{{ range 10000 }}{{ end }}{{ end }}", "steps"),
    "a text that doubles": (DOUBLES, "a value of more than|steps"),
    "a long output": ('{{ range 100000 }}{{ printf "%9999d" 1 }}{{ end }}', "steps|output"),
    "wide fields of one argument": (
        '{{ printf "' + "%1000000[1]d" * 200 + '" 1 }}',
        "a value of more than|steps",
    ),
    "a template that calls itself": (CALLS_ITSELF, "exceeded maximum template depth"),
    "templates that double": (DOUBLING_CALLS, "steps|seconds"),
    "slices": ("{{ range .many }}{{ slice $.many 0 99999 }}{{ end }}", "steps|seconds|output"),
    "prints of much": ("{{ range .many }}{{ $x := print $.many }}{{ end }}", "steps|seconds"),
    "a deep value": ("{{ print .deep }}", "nest|deep"),
    "escapes of much": ("{{ range 1000 }}{{ $x := js $.long }}{{ end }}", "steps|seconds"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "problem"), EXPENSIVE.values(), ids=EXPENSIVE)
def test_costs_are_limited(source: str, problem: str) -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    data = {"many": list(range(100_000)), "deep": deep, "long": "<" * 1_000_000}
    started = time.thread_time()
    with pytest.raises(GoTemplateError) as caught:
        Template.parse(source).execute(data, limits=Limits(seconds=0.5, steps=500_000))
    assert re.search(problem, str(caught.value))
    assert time.thread_time() - started < 3


NESTED = {
    "parentheses": "{{" + "(" * 2000 + "1" + ")" * 2000 + "}}",
    "branches": "{{ if 1 }}" * 2000 + "{{ end }}" * 2000,
    "else if": "{{ if 0 }}" + "{{ else if 0 }}" * 2000 + "{{ end }}",
    "blocks": "".join(f'{{{{ block "{n}" . }}}}' for n in range(2000)) + "{{ end }}" * 2000,
    "a long text": "x" * 1_000_000,
    "many variables": "".join(f"{{{{ $x{n} := 1 }}}}" for n in range(2000)),
}


@pytest.mark.parametrize("source", NESTED.values(), ids=NESTED)
def test_what_nests_too_deep_or_is_too_long_does_not_parse(source: str) -> None:
    with pytest.raises(ParseError):
        Template.parse(source)


def test_as_deep_as_can_be_parsed_can_be_run() -> None:
    depth = 90
    template = Template.parse(
        "{{ if . }}" * depth + "{{" + "(" * depth + "." + ")" * depth + "}}" + "{{ end }}" * depth
    )
    assert template.execute(1) == "1"


def test_a_long_chain_of_commands_costs_an_error_at_most() -> None:
    template = Template.parse("{{ 1" + " | print" * 5000 + " }}")
    with pytest.raises(GoTemplateError, match="nested too deeply"):
        template.execute(None)


class _Trap:
    """An object of Python's that would notice being looked into."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)

    def __str__(self) -> str:
        raise AssertionError

    __repr__ = __str__


@pytest.mark.parametrize(
    "source",
    [
        "{{ .x }}", "{{ .x.y }}", "{{ .x.__class__ }}", "{{ print .x }}", '{{ printf "%d" .x }}',
        "{{ len .x }}", "{{ index .x 0 }}", "{{ eq .x .x }}", "{{ range .x }}{{ end }}",
        "{{ slice .x 1 }}", "{{ .text.upper }}", "{{ .text.__class__ }}", "{{ call .x }}",
        "{{ .list.append }}", "{{ .map.keys.x }}", "{{ html .x }}", "{{ lt .x 1 }}",
    ],
)  # fmt: skip
def test_nothing_of_python_can_be_reached(source: str) -> None:
    data = {"x": _Trap(), "text": "t", "list": [1], "map": {"a": 1}}
    try:
        text = Template.parse(source).execute(data)
    except GoTemplateError:
        return
    assert "object" not in text


WORDS = r"""
    {{ }} {{- -}} ( ) | . $ $x := = , "a" "%d %5s%%" `r` 'c' 1 -2 0x1F 1.5e3 1i true nil .a .b.x .c
    .d .m.Role .m.Shout .nm if else end range with define template block break continue and or not
    eq ne lt le gt ge len index slice print printf println html js urlquery call text two boom dict
    /* */ é ☃ \ " ' ` 99999999999999999999 "x" "\xff"
"""
FRAGMENTS = st.sampled_from([*WORDS.split(), "\n", "\ud800"])
SOURCES = st.one_of(
    st.text(),
    st.lists(FRAGMENTS).map(" ".join),
    st.lists(FRAGMENTS).map(lambda parts: "{{ " + " ".join(parts) + " }}"),
    st.lists(st.lists(FRAGMENTS, max_size=5)).map(
        lambda actions: "".join("{{ " + " ".join(action) + " }}" for action in actions)
    ),
)
SMALL = Limits(steps=20_000, output_chars=100_000, value_chars=100_000)


@given(SOURCES)
def test_any_text_gives_a_text_or_the_typed_error(source: str) -> None:
    try:
        text = Template.parse(source, functions=FUNCTIONS).execute(DATA, limits=SMALL)
    except GoTemplateError as problem:
        str(problem).encode("utf-8", "replace")
        return
    assert len(text) <= SMALL.output_chars
    text.encode()  # lone surrogates do not get out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CALLS = st.sampled_from(
    ["len", "index", "slice", "eq", "ne", "lt", "le", "gt", "ge", "not", "and", "or", "print",
     "println", "html", "js", "urlquery", "call", "text", 'printf "%v %d %s %q %x"', "printf"]
)  # fmt: skip


@given(CALLS, st.lists(VALUES, max_size=4))
def test_any_values_give_a_text_or_the_typed_error(call: str, args: list[object]) -> None:
    data = {f"x{at}": value for at, value in enumerate(args)}
    source = "{{ " + call + "".join(f" .{name}" for name in data) + " }}"
    with suppress(GoTemplateError):
        Template.parse(source, functions=FUNCTIONS).execute(data, limits=SMALL).encode()


@given(st.text(alphabet="%[]*.0123456789+-# vTtbcdoOqxXUeEfFgGspwz"), st.lists(VALUES, max_size=3))
def test_any_format_gives_a_text_or_the_typed_error(pattern: str, args: list[object]) -> None:
    data = {"format": pattern, **{f"x{at}": value for at, value in enumerate(args)}}
    source = "{{ printf" + "".join(f" .{name}" for name in data) + " }}"
    with suppress(GoTemplateError):
        Template.parse(source).execute(data, limits=SMALL).encode()
