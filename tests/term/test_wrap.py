"""Words are moved to the next line whole, however the text arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.term.wrap import Wrapper
from tests.term.screen import seen

CASES = {
    "short": (20, "hello world", ["hello world"]),
    "a word is moved": (20, "one two three four", ["one two three ", "four"]),
    "a blank at the limit is swallowed": (20, "one two three x y z", ["one two three x", "y z"]),
    "newlines start anew": (20, "one\ntwo three four five", ["one", "two three four ", "five"]),
    "a long word flows over the edge": (20, "x" * 25, ["x" * 20, "x" * 5]),
    "wide characters break anywhere": (20, "漢" * 9, ["漢" * 7, "漢" * 2]),
    "too narrow to wrap": (9, "one two thr", ["one two t", "hr"]),
}

WORDS = st.lists(st.text("abc", min_size=1, max_size=10), max_size=20)


@pytest.mark.parametrize(("columns", "text", "lines"), CASES.values(), ids=CASES)
def test_text_is_wrapped(columns: int, text: str, lines: list[str]) -> None:
    assert seen(Wrapper(columns).feed(text), columns) == lines


@given(WORDS, st.integers(20, 40), st.lists(st.integers(1, 5), max_size=50))
def test_words_stay_whole_and_lines_short(words: list[str], columns: int, cuts: list[int]) -> None:
    text = " ".join(words)
    pieces, rest = [], text
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    wrapper = Wrapper(columns)
    output = "".join(wrapper.feed(piece) for piece in [*pieces, rest])
    lines = seen(output, columns)
    assert " ".join(lines).split() == words
    assert all(len(line) <= columns - 5 for line in lines)
    assert output == Wrapper(columns).feed(text)
