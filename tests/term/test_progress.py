"""Spinners and bars."""

from __future__ import annotations

import io

import pytest

from puna.term.progress import Bar, Progress, Spinner, make_frame, time_left
from puna.term.width import cut_text
from tests.term.screen import seen


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


TIMES = {
    "seconds": (42.4, "42s"),
    "minutes": (90, "1m30s"),
    "hours": (2 * 3600 + 5 * 60, "2h5m"),
    "days": (100 * 3600, "99h+"),
}


@pytest.mark.parametrize(("seconds", "text"), TIMES.values(), ids=TIMES)
def test_time_left(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


def test_a_spinner_turns_and_stops() -> None:
    clock = Clock()
    spinner = Spinner("working", clock)
    assert spinner.line(80) == "working ⠋ "
    clock.now = 0.25
    assert spinner.line(80) == "working ⠹ "
    spinner.stop()
    assert spinner.line(80) == "working "


def test_a_bar_shows_rate_and_time() -> None:
    clock = Clock()
    bar = Bar("copying", 4000, clock)
    assert bar.line(80).endswith("▏    0 B/  4 KB" + " " * 18)
    clock.now = 2.0
    bar.set(1000)
    line = bar.line(80)
    assert line.startswith("copying  25% ▕█")
    assert line.endswith("▏   1 KB/  4 KB   500 B/s      6s")
    assert len(line) <= 80
    bar.set(4000)
    assert bar.line(80).startswith("copying 100% ▕█")
    assert bar.line(80).endswith("█▏   4 KB" + " " * 25)


def test_what_was_there_before_does_not_count_for_the_rate() -> None:
    clock = Clock()
    bar = Bar("pulling", 4000, clock, completed=2000)
    assert bar.line(80).startswith("pulling  50%")
    clock.now = 2.0
    bar.set(2200)
    assert bar.line(80).endswith("2.2 KB/  4 KB   100 B/s     18s")


def test_the_rate_is_that_of_the_last_ten_samples() -> None:
    clock = Clock()
    bar = Bar("pulling", 10_000_000, clock)
    for second in range(1, 31):  # a quarter of a second apart: only whole seconds are taken
        for quarter in range(4):
            clock.now = second + quarter / 4
            bar.set(int(clock.now * (1000 if second < 15 else 100)))
    assert bar.rate() == 100


@pytest.mark.parametrize(("done", "shown"), [(58, " 58%"), (99_999, " 99%"), (100_000, "100%")])
def test_percents_are_whole_and_a_hundred_is_all(done: int, shown: str) -> None:
    bar = Bar("x", 100 if done < 100 else 100_000)
    bar.set(done)
    assert bar.line(80).startswith(f"x {shown} ")


def test_an_empty_file_is_complete() -> None:
    assert "100%" in Bar("x", 0).line(80)


def test_frames_replace_each_other() -> None:
    output = make_frame(["one", "two"], 0) + make_frame(["1", "2", "3"], 2)
    assert seen(output, 80) == ["1", "2", "3"]


def test_a_stopped_terminal_keeps_the_last_frame() -> None:
    out = Terminal()
    with Progress(out) as progress:
        progress.add(Spinner("one"))
        progress.add(Spinner("two"))
        progress.stop()
        length = len(out.getvalue())
    assert len(out.getvalue()) == length
    assert seen(out.getvalue(), 80) == ["one ", "two ", ""]


def test_a_terminal_shows_the_last_lines_that_it_has_room_for() -> None:
    out = Terminal()
    with Progress(out) as progress:
        for number in range(30):
            progress.add(Spinner(str(number)))
    last = out.getvalue().rpartition("\x1b[?2026h")[2]
    assert seen(last, 80) == [*(f"{number} " for number in range(6, 30)), ""]


def test_a_cleared_terminal_is_empty() -> None:
    out = Terminal()
    with Progress(out) as progress:
        progress.add(Spinner("one"))
        while not out.getvalue():
            pass
        progress.clear()
    assert seen(out.getvalue(), 80) == [""]


def test_elsewhere_lines_are_plain() -> None:
    out = io.StringIO()
    with Progress(out) as progress:
        progress.add(Spinner())
        progress.add(Spinner("writing manifest"))
        progress.add(Bar("copying", 2000))
    assert out.getvalue() == "writing manifest\ncopying 2 KB\n"


def test_long_lines_are_whole_in_the_last_frame_only() -> None:
    """One that went on in the next row would leave its beginning behind with every frame."""
    out = Terminal()
    long = "using existing layer 日本 " + "x" * 90
    with Progress(out) as progress:
        progress.add(Spinner(long))
        progress.add(Spinner("success"))
        until_drawn = len(out.getvalue())
        while len(out.getvalue()) <= until_drawn:
            pass
        assert seen(out.getvalue(), 80)[0] == long[:77]
    assert "".join(seen(out.getvalue(), 80)) == f"{long} success "


@pytest.mark.parametrize(("text", "cut"), [("abcd", "abc"), ("ab日", "ab"), ("a日", "a日")])
def test_texts_are_cut_between_characters(text: str, cut: str) -> None:
    assert cut_text(text, 3) == cut


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    with Progress(out) as progress:
        progress.add(Spinner("pulling manifest"))
    assert out.getvalue() == "pulling manifest\n"
