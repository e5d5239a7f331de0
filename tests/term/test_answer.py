"""How answers are written."""

from __future__ import annotations

import io

import pytest

from puna.client.replies import Metrics, Piece, ToolCall
from puna.term.answer import Printer, Style, summary
from tests.term.test_progress import Terminal

SUMMARY = """\
total duration:       1.234567891s
load duration:        45.6ms
prompt eval count:    26 token(s)
prompt eval duration: 120ms
prompt eval rate:     216.67 tokens/s
eval count:           290 token(s)
eval duration:        4.7s
eval rate:            61.70 tokens/s
"""


def written(out: io.StringIO, style: Style, *pieces: Piece) -> str:
    printer = Printer(out, style)
    for piece in pieces:
        printer.put(piece)
    return out.getvalue()


def test_thoughts_stand_between_markers() -> None:
    pieces = (Piece(thinking="hm"), Piece(thinking="..."), Piece(content="4"))
    expected = "Thinking...\nhm...\n...done thinking.\n\n4"
    assert written(io.StringIO(), Style(), *pieces) == expected


def test_thoughts_are_grey_on_a_terminal() -> None:
    assert written(Terminal(), Style(), Piece(thinking="hm\n"), Piece(content="4")) == (
        "\x1b[38;5;245m\x1b[1mThinking...\n\x1b[0m\x1b[38;5;245mhm\n"
        "\x1b[38;5;245m\x1b[1m...done thinking.\n\n\x1b[0m4"
    )


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_there_are_no_colours_where_none_are_wanted_or_known(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    call = ToolCall("add", {})
    pieces = (Piece(thinking="hm"), Piece(content="4"), Piece(tool_calls=(call,)))
    assert "\x1b" not in written(Terminal(), Style(), *pieces)


def test_a_dumb_terminal_wraps_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = "word " * 40
    assert written(Terminal(), Style(), Piece(content=text)) == text


def test_hidden_thoughts_are_kept_but_not_shown() -> None:
    printer = Printer(io.StringIO(), Style(hide_thinking=True))
    thought = Piece(thinking="hm")
    assert not printer.shows(thought)
    printer.put(thought)
    printer.put(Piece(content="4"))
    assert (printer.thinking, printer.content) == ("hm", "4")
    out = io.StringIO()
    assert written(out, Style(hide_thinking=True), thought, Piece(content="4")) == "4"


def test_calls_are_explained() -> None:
    call = ToolCall("add", {"a": 1})
    assert written(io.StringIO(), Style(), Piece(tool_calls=(call, call))) == (
        "  Model called a non-existent function 'add()' with arguments: {\"a\":1}\n"
        "  Model called a non-existent function 'add()' with arguments: {\"a\":1}"
    )


def test_a_model_cannot_steer_the_terminal() -> None:
    evil = Piece(content="a\x1b]52;c;x\x07b\r\x9bc\td\n")
    assert written(Terminal(), Style(wrap=False), evil) == "a]52;c;xbc\td\n"
    assert written(io.StringIO(), Style(), evil) == evil.content


def test_statistics_leave_out_what_is_zero() -> None:
    metrics = Metrics(1234567891, 45600000, 26, 120000000, 290, 4700000000)
    assert summary(metrics) == SUMMARY
    assert summary(Metrics(total_duration=1000000000)) == "total duration:       1s\n"
