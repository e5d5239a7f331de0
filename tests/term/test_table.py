"""Tables: widths, gaps, wrapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.term.listing import processor, until
from puna.term.table import make_table, wrap_words
from puna.term.width import text_width

NOW = datetime(2026, 1, 1, tzinfo=UTC)

PROCESSORS = {
    "no card": (100, 0, "100% CPU"),
    "nothing": (0, 0, "100% CPU"),
    "all on the card": (100, 100, "100% GPU"),
    "more than all": (100, 101, "Unknown"),
    "card without a size": (0, 1, "Unknown"),
    "shared": (1000, 335, "67%/33% CPU/GPU"),
}

MOMENTS = {
    "past": (NOW - timedelta(seconds=1), "Stopping..."),
    "soon": (NOW + timedelta(minutes=4), "4 minutes from now"),
    "never": (NOW + timedelta(days=365 * 292), "Forever"),
}


def test_rows_end_in_the_gap_and_the_header_in_a_blank() -> None:
    assert make_table([["abc", "d"]], ["X", "LONG"]) == "X      LONG \nabc    d       \n"


def test_an_empty_table_is_its_header() -> None:
    assert make_table([], ["NAME", "ID"]) == "NAME    ID \n"


def test_rows_may_have_different_lengths() -> None:
    assert make_table([["a"], ["b", "c"]]) == "a    \nb    c    \n"


def test_wide_characters_take_two_columns() -> None:
    assert make_table([["漢", "x"], ["abc", "x"]]) == "漢     x    \nabc    x    \n"


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert make_table([["a\x1b[2Jb\nc"]]) == "a[2Jb c    \n"


def test_long_cells_are_wrapped_evenly() -> None:
    assert make_table([["k", "one two three four"]], columns=12) == (
        "k    one two       \n     three four    \n"
    )


@given(st.lists(st.text("ab", max_size=8), min_size=1, max_size=12), st.integers(4, 30))
def test_wrapping_loses_nothing(words: list[str], columns: int) -> None:
    lines = wrap_words(" ".join(words), columns)
    assert " ".join(lines) == " ".join(words)
    assert max(map(text_width, lines)) <= max(columns, *map(len, words), 0)


@pytest.mark.parametrize(("size", "vram", "text"), PROCESSORS.values(), ids=PROCESSORS)
def test_processors_are_named(size: int, vram: int, text: str) -> None:
    assert processor(size, vram) == text


@pytest.mark.parametrize(("moment", "text"), MOMENTS.values(), ids=MOMENTS)
def test_the_end_is_told(moment: datetime, text: str) -> None:
    assert until(moment, NOW) == text
