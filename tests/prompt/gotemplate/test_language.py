"""What templates print, and the errors of those that cannot be parsed or run, word for word."""

from __future__ import annotations

import pytest

from puna.prompt.gotemplate import ExecutionError, ParseError, Template
from tests.prompt.gotemplate.data import EXEC, OUTPUT, PARSE, PRINTF, VARIABLES
from tests.prompt.gotemplate.values import DATA, FUNCTIONS


def run(source: str) -> str:
    return Template.parse(source, name="t", functions=FUNCTIONS).execute(DATA)


@pytest.mark.parametrize(("source", "text"), [*OUTPUT, *VARIABLES])
def test_output(source: str, text: str) -> None:
    assert run(source) == text


@pytest.mark.parametrize(("source", "text"), PRINTF)
def test_formats(source: str, text: str) -> None:
    assert run(source) == text


@pytest.mark.parametrize(("source", "problem"), PARSE)
def test_errors_of_parsing(source: str, problem: str) -> None:
    with pytest.raises(ParseError) as caught:
        Template.parse(source, name="t", functions=FUNCTIONS)
    assert str(caught.value) == problem


@pytest.mark.parametrize(("source", "problem"), EXEC)
def test_errors_of_running(source: str, problem: str) -> None:
    template = Template.parse(source, name="t", functions=FUNCTIONS)
    with pytest.raises(ExecutionError) as caught:
        template.execute(DATA)
    assert str(caught.value) == problem


def test_the_table_is_large() -> None:
    rows = [*OUTPUT, *PRINTF, *PARSE, *EXEC]
    assert len({source for source, _ in rows}) >= 400


def test_a_template_has_no_name_unless_it_is_given_one() -> None:
    with pytest.raises(ParseError, match=r"^template: :1: unclosed action$"):
        Template.parse("{{ .Prompt")


def test_imaginary_numbers_are_refused() -> None:
    for source in ("{{ 1i }}", "{{ 1+2i }}"):
        with pytest.raises(ParseError, match="imaginary numbers are not supported"):
            Template.parse(source)


def test_executions_do_not_see_each_other() -> None:
    template = Template.parse("{{ $x := .a }}{{ if .a }}{{ $x = 2 }}{{ end }}{{ $x }}")
    assert [template.execute({"a": value}) for value in (1, 0, "", "y")] == ["2", "0", "", "2"]
