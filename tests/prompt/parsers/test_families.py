"""Every family's answers, wherever they are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.api.events import CallArguments, CallBegun, Content, Logprob, ToolCalls
from puna.errors import BadToolCall
from puna.prompt.capabilities import of_chat_template
from puna.prompt.parsers import MARKS, NAMED, Family, Marks, Scanner, Turn, by_marks
from puna.prompt.parsers.family import Kind, Mode
from puna.prompt.parsers.harmony import tool_names
from puna.prompt.parsers.tools import typed
from tests.prompt.parsers.reading import TOOLS, Sample, read
from tests.prompt.parsers.samples import BAD, PLAIN, SAMPLES

FAMILIES = {**NAMED, **{" ".join(marks.texts): marks.family for marks in MARKS}}
DISTINCT = {name: FAMILIES[name] for name in {id(f): n for n, f in FAMILIES.items()}.values()}
CASES = {
    f"{family}: {case}": (FAMILIES[family], sample)
    for family, samples in SAMPLES.items()
    for case, sample in samples.items()
}
BAD_CASES = {
    f"{family}: {case}": (FAMILIES[family], *bad)
    for family, cases in BAD.items()
    for case, bad in cases.items()
}


@pytest.mark.parametrize(("family", "sample"), CASES.values(), ids=CASES)
def test_an_answer_is_the_same_wherever_it_is_cut(family: Family, sample: Sample) -> None:
    text = sample.text
    assert read(family, [text], sample.turn, lenient=sample.lenient) == sample.events
    assert read(family, text, sample.turn, lenient=sample.lenient) == sample.events
    for at in range(1, len(text)):
        pieces = [text[:at], text[at:]]
        assert read(family, pieces, sample.turn, lenient=sample.lenient) == sample.events


@pytest.mark.parametrize(("family", "sample"), CASES.values(), ids=CASES)
def test_what_is_told_of_a_call_early_is_what_it_becomes(family: Family, sample: Sample) -> None:
    text = sample.text
    cuts = [[text], [*text], *([text[:at], text[at:]] for at in range(1, len(text)))]
    for pieces in cuts:
        told, whole = pieces_of(family, pieces, sample)
        for index, (name, arguments) in told.items():
            assert whole.get(index) == (name, json.loads(arguments)), (pieces, index)


def pieces_of(
    family: Family, pieces: list[str], sample: Sample
) -> tuple[dict[int, tuple[str, str]], dict[int, tuple[str, Any]]]:
    """The calls told of early, by their numbers, and the whole ones."""
    scanner = Scanner(family, sample.turn, TOOLS, lenient=sample.lenient, call_pieces=True)
    events = [each for piece in pieces for each in scanner.push(piece)] + scanner.flush()
    told: dict[int, tuple[str, str]] = {}
    whole: dict[int, tuple[str, Any]] = {}
    for event in events:
        match event:
            case CallBegun(index, _, name):
                assert index not in whole
                told[index] = (name, "")
            case CallArguments(index, more):
                name, arguments = told[index]
                told[index] = (name, arguments + more)
            case ToolCalls(calls):
                for call in calls:
                    whole[call.function.index] = (call.function.name, call.function.arguments)
    plain = [each for each in events if not isinstance(each, CallBegun | CallArguments)]
    other = Scanner(family, sample.turn, TOOLS, lenient=sample.lenient)
    assert plain == [each for piece in pieces for each in other.push(piece)] + other.flush()
    return told, whole


STREAMED = {
    "qwen3": '<tool_call>\n{"name": "rain", "arguments": {"city": "O\\"s{lo"}}\n</tool_call>',
    "ministral": '[TOOL_CALLS]rain[ARGS]{"city": "O\\"s{lo"}',
    "[TOOL_CALLS]": '[TOOL_CALLS][{"name": "rain", "arguments": {"city": "O\\"s{lo"}}]',
    "deepseek3": '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>rain<｜tool▁sep｜>{"city": "O\\"s{lo"}'
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "cohere": '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "rain", "parameters": '
    '{"city": "O\\"s{lo"}}]<|END_ACTION|>',
    "harmony": "<|channel|>commentary to=functions.rain <|constrain|>json<|message|>"
    '{"city": "O\\"s{lo"}',
    "<|tool_calls_section_begin|>": "<|tool_calls_section_begin|><|tool_call_begin|>"
    'functions.rain:0<|tool_call_argument_begin|>{"city": "O\\"s{lo"}<|tool_call_end|>'
    "<|tool_calls_section_end|>",
    "<|python_tag|> .call(": '{"name": "rain", "parameters": {"city": "O\\"s{lo"}}',
    "<|tool|> <|/tool|>": '<|tool_call|>[{"name": "rain", "arguments": {"city": "O\\"s{lo"}}]',
    "<tool_calls> </tool_calls>": '<tool_calls>{"name": "rain", "arguments": '
    '{"city": "O\\"s{lo"}}</tool_calls>',
}


@pytest.mark.parametrize(("name", "text"), STREAMED.items(), ids=STREAMED)
def test_arguments_are_told_as_they_are_written(name: str, text: str) -> None:
    turn = Turn(has_tools=True, last="user")
    for size in (1, 2, 3, 7, len(text)):
        scanner = Scanner(FAMILIES[name], turn, TOOLS, call_pieces=True)
        told = []
        for at in range(0, len(text), size):
            told += scanner.push(text[at : at + size])
        told += scanner.flush()
        begun, *rest = told
        assert begun == CallBegun(0, "", "rain")
        *pieces, last = rest
        assert isinstance(last, ToolCalls)
        arguments = [piece.text for piece in pieces if isinstance(piece, CallArguments)]
        assert len(arguments) == len(pieces)
        assert json.loads("".join(arguments)) == {"city": 'O"s{lo'}
        assert size > 1 or len(arguments) > 10


def test_a_call_of_nobody_is_not_told_of_early() -> None:
    scanner = Scanner(NAMED["qwen3"], PLAIN, TOOLS, call_pieces=True)
    said = scanner.push('<tool_call>{"name": "other", "arguments": {"a": 1}}</tool_call>')
    assert [type(each) for each in said] == [ToolCalls]
    long = '<tool_call>{"id": "' + "x" * 5000 + '", "name": "rain", "arguments": {"city": "x"}}'
    assert [type(each) for each in scanner.push(long[:3000])] == []
    assert [type(each) for each in scanner.push(long[3000:] + "</tool_call>")] == [ToolCalls]


@pytest.mark.parametrize(("family", "text", "complaint"), BAD_CASES.values(), ids=BAD_CASES)
def test_a_call_that_cannot_be_read_is_an_error(family: Family, text: str, complaint: str) -> None:
    for pieces in ([text], [text[: len(text) // 2], text[len(text) // 2 :]]):
        with pytest.raises(BadToolCall) as caught:
            read(family, pieces, PLAIN)
        assert str(caught.value).startswith(complaint)
    kept = "".join(str(event[1]) for event in read(family, [text], PLAIN, lenient=True))
    assert "rain" not in text or "rain" in kept or "Oslo" in text
    assert kept


def drops_text(mode: Mode) -> bool:
    """Whether its text is no part of an answer: a header, or what a model takes for a result."""
    return mode.kind is Kind.HEAD and (bool(mode.chooses) or {*mode.tags.values()} == {"content"})


@pytest.mark.parametrize("family", DISTINCT.values(), ids=DISTINCT)
@settings(max_examples=50)
@given(data=st.data())
def test_no_text_is_lost_and_nothing_raised(family: Family, data: st.DataObject) -> None:
    parts = st.sampled_from([*family.tags, " ", "\n", "{", "}", '"', "[", "]", ",", "\\", "W"])
    text = "".join(data.draw(st.lists(parts, max_size=12)))
    words = [f"w{at}w" for at in range(text.count("W"))]
    for word in words:
        text = text.replace("W", word, 1)
    turn = data.draw(st.builds(Turn, st.just(True), st.booleans(), st.just(""), st.booleans()))
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=4).map(sorted))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    events = read(family, pieces, turn, lenient=True)
    assert events == read(family, [text], turn, lenient=True)
    if not any(map(drops_text, family.modes.values())):
        said = str(events)
        assert [word for word in words if word not in said] == []


def test_a_tag_is_all_that_is_waited_for() -> None:
    scanner = Scanner(NAMED["qwen3-coder"], PLAIN, TOOLS)
    said = [scanner.push(piece) for piece in ("a", " b", " <", "tool", "x <")]
    assert said == [
        [Content("a")],
        [Content(" b")],
        [],
        [],
        [Content(" <toolx")],
    ]


def test_log_probabilities_leave_with_the_first_text() -> None:
    one = (Logprob(token="x", logprob=-1.0),)
    scanner = Scanner(NAMED["qwen3-coder"], PLAIN, TOOLS)
    assert scanner.push("a", one) == [Content("a", one)]
    assert scanner.push("<tool", one) == [Content("", one)]


def test_every_family_has_samples() -> None:
    shown = {id(FAMILIES[name]) for name in SAMPLES}
    assert [name for name, family in FAMILIES.items() if id(family) not in shown] == []


@pytest.mark.parametrize("marks", MARKS, ids=lambda marks: marks.texts[0])
def test_marks_tell_a_family(marks: Marks) -> None:
    template = f"{{% if tools %}}{marks.thinking}{{% endif %}}" + "".join(marks.texts)
    assert by_marks(template) is marks
    assert by_marks(template.replace(marks.texts[0], "")) is not marks
    assert "tools" in of_chat_template(template)
    assert ("thinking" in of_chat_template(template)) is bool(marks.thinking)


VALUES = {
    "an integer": ("007", ("integer",), 7),
    "a number": ("1.23e5", ("number",), 123000),
    "a number that is whole": ("42.0", ("number",), 42),
    "no boolean": ("maybe", ("boolean",), False),
    "a boolean": ("TRUE", ("boolean",), True),
    "either, a number": ("123", ("string", "number"), 123),
    "either, a text": ("abc", ("string", "number"), "abc"),
    "no object": ("{bad", ("object",), "{bad"),
    "null": ("Null", ("string",), None),
    "nothing known": ("12", (), "12"),
    "infinity": ("inf", ("number",), "inf"),
    "beyond 64 bits": ("9" * 30, ("integer",), "9" * 30),
    "an array": ("[1, 2]", ("array",), [1, 2]),
}


@pytest.mark.parametrize(("raw", "types", "value"), VALUES.values(), ids=VALUES)
def test_values_by_type(raw: str, types: tuple[str, ...], value: object) -> None:
    assert (typed(raw, types), type(typed(raw, types))) == (value, type(value))


def test_function_names_of_harmony() -> None:
    names = ["my.func-x", "123", "???", "browser.open"]
    assert tool_names(names) == {
        "my.func-x": "my_func_x",
        "123": "_123",
        "???": "unnamed",
        "browser.open": "browser.open",
    }
    assert list(tool_names(["a.b", "a-b", "a b"]).values()) == ["a_b", "a_b_2", "a_b_3"]
