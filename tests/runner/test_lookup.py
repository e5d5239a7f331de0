"""What a text has said before is guessed; how often that is right is measured, drafted or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.lookup import GRAM, Lookup

ALL = 10**6


def after(tokens: list[int]) -> Lookup:
    lookup = Lookup()
    assert lookup.follow(tokens, ALL)
    return lookup


GUESSES: dict[str, tuple[list[int], list[int]]] = {
    "nothing was said": ([], []),
    "nothing comes again": ([1, 2, 3, 4, 5], []),
    "two tokens are not enough": ([1, 2, 9, 1, 2], []),
    "what followed": ([1, 2, 3, 7, 8, 9, 1, 2, 3], [7, 8, 9, 1]),
    "the most recent of equals": ([1, 2, 3, 7, 0, 1, 2, 3, 8, 0, 1, 2, 3], [8, 0, 1, 2]),
    "the longest past": ([5, 1, 2, 3, 7, 0, 6, 1, 2, 3, 8, 0, 5, 1, 2, 3], [7, 0, 6, 1]),
    "a loop goes on": ([1, 2, 1, 2, 1], [2, 1, 2, 1]),
    "one token for ever": ([4, 4, 4, 4], [4, 4, 4, 4]),
}


@pytest.mark.parametrize(("tokens", "guess"), GUESSES.values(), ids=GUESSES)
def test_guesses(tokens: list[int], guess: list[int]) -> None:
    assert after(tokens).guess(4) == guess


def test_behind_a_changed_word_the_copy_goes_on() -> None:
    text = list(range(30))
    copy = after([*text, *text[:12]])
    copy.follow([*text, *text[:12], 99], ALL)
    assert copy.guess(3) == [13, 14, 15]
    copy.follow([*text, *text[:12], 99, 98], ALL)
    assert copy.guess(3) == []


def test_a_long_prompt_is_read_in_parts() -> None:
    tokens = [1, 2, 3, 7, 8, 9, 1, 2, 3]
    lookup = Lookup()
    assert not lookup.follow(tokens, 5)
    assert (lookup.guess(2), lookup.chances(2)) == ([], [])
    assert lookup.follow(tokens, 5)
    assert lookup.guess(2) == [7, 8]


def test_luck_is_measured_without_a_draft() -> None:
    block = list(range(40))
    lucky = after([*block, *block[:GRAM]])
    before = lucky.chances(8)[-1]
    lucky.follow([*block, *block], ALL)
    assert lucky.chances(8)[-1] > before
    unlucky = after([1, 2, 3, 0])
    tokens = [1, 2, 3, 0]
    for odd in range(50):
        tokens += [1, 2, 3]
        unlucky.follow(tokens, ALL)
        chance = unlucky.chances(1)[0]
        tokens += [100 + odd]
        unlucky.follow(tokens, ALL)
    assert chance < 0.1


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 40))
def test_a_guess_is_what_followed_the_same_words(tokens: list[int], most: int) -> None:
    lookup = Lookup()
    lookup.follow(tokens[:20], ALL)
    lookup.follow(tokens, ALL)
    guess, chances = lookup.guess(most), lookup.chances(most)
    assert len(guess) == len(chances) in {0, most}
    assert chances == sorted(chances, reverse=True)
    assert all(0 < chance <= 1 for chance in chances)
    grams = [tuple(tokens[at : at + GRAM]) for at in range(len(tokens) - GRAM)]
    if tuple(tokens[-GRAM:]) in grams:
        whole = [*tokens, *guess]
        assert any(
            tokens[place - GRAM : place] == tokens[-GRAM:] and whole[place : place + most] == guess
            for place in range(GRAM, len(tokens))
        )
    else:
        assert not guess or lookup._run > GRAM  # behind a change in a copy
