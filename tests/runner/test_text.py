"""Text that goes out: whole characters, nothing of a stop word, whatever the tokens' borders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.runner.text import TextStream


def said(pieces: list[bytes], stops: list[str]) -> tuple[list[str], bool]:
    """Push the pieces; return the texts that went out one by one, and whether a stop was found."""
    stream: TextStream[int] = TextStream(stops)
    out = []
    for piece in pieces:
        out.append(stream.push(piece)[0])
        if stream.stopped:
            return [text for text in out if text], True
    out.append(stream.flush()[0])
    return [text for text in out if text], False


STOPS: dict[str, tuple[list[bytes], list[str], list[str], bool]] = {
    "no stop word": ([b"Hi", b" there"], [], ["Hi", " there"], False),
    "the stop is a whole piece": ([b"hello", b"world"], ["world"], ["hello"], True),
    "the stop is inside a piece": ([b"hello", b"wor"], ["or"], ["hell", "ow"], True),
    "the stop spans three pieces": (
        [b"Hello", b" the", b"re!"],
        ["there!"],
        ["Hello", " "],
        True,
    ),
    "the stop begins in the piece before": ([b"hello", b" wor"], ["llo w"], ["he"], True),
    "held text that was no stop goes out": (
        [b"Hi\n\nUs", b"e me"],
        ["\n\nUser:"],
        ["Hi", "\n\nUse me"],
        False,
    ),
    "held text goes out at the end": ([b"a\n\nUs"], ["\n\nUser:"], ["a", "\n\nUs"], False),
    "the earliest of several stops counts": ([b"one two three"], ["three", "two"], ["one "], True),
    "an empty stop word is ignored": ([b"abc"], [""], ["abc"], False),
    "overlapping beginnings": ([b"aaa", b"ab"], ["aab"], ["a", "a"], True),
}


@pytest.mark.parametrize(("pieces", "stops", "texts", "found"), STOPS.values(), ids=STOPS)
def test_stop_words_across_token_borders(
    pieces: list[bytes], stops: list[str], texts: list[str], found: bool
) -> None:
    assert said(pieces, stops) == (texts, found)


FOUND: dict[str, tuple[list[bytes], str]] = {
    "none": ([b"hello"], ""),
    "across tokens": ([b"a\n", b"\nb"], "\n\n"),
    "the first of two": ([b"two one\n\n"], "two"),
    "of two at one place the longer": ([b"twofold"], "twofold"),
}


@pytest.mark.parametrize(("pieces", "stop"), FOUND.values(), ids=FOUND)
def test_the_stop_word_that_was_found(pieces: list[bytes], stop: str) -> None:
    stream: TextStream[int] = TextStream(["\n\n", "two", "twofold"])
    for piece in pieces:
        stream.push(piece)
    assert (stream.stop, stream.stopped) == (stop, bool(stop))


BYTES: dict[str, tuple[list[bytes], list[str]]] = {
    "two bytes": ([b"\xc2", b"\xa2"], ["¢"]),
    "three bytes": ([b"\xe0", b"\xa0", b"\x80"], ["ࠀ"]),
    "four bytes": ([b"\xf0", b"\x92", b"\x8a", b"\x91"], ["𒊑"]),
    "half a character at the end is dropped": ([b"ok", b"\xf0\x92"], ["ok"]),
    "bytes that are no text are replaced": ([b"a\xffb"], ["a\ufffdb"]),
}


@pytest.mark.parametrize(("pieces", "texts"), BYTES.values(), ids=BYTES)
def test_characters_across_token_borders(pieces: list[bytes], texts: list[str]) -> None:
    assert said(pieces, []) == (texts, False)


@given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=3), st.data())
def test_the_split_into_tokens_does_not_matter(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    split = said(pieces, stops)
    places = [text.find(stop) for stop in stops if stop in text]
    bytewise = said([bytes([byte]) for byte in raw], stops)
    assert "".join(bytewise[0]) == "".join(split[0]) or len(places) > 1
    assert split[1] == bool(places)
    if len(stops) <= 1:
        assert "".join(split[0]) == (text[: places[0]] if places else text)


@given(st.lists(st.text(max_size=5), max_size=12), st.text(min_size=1, max_size=4))
def test_tags_come_out_once_and_in_order(texts: list[str], stop: str) -> None:
    stream: TextStream[int] = TextStream([stop])
    out: list[int] = []
    for number, text in enumerate(texts):
        out += stream.push(text.encode(), number)[1]
    out += stream.flush()[1]
    assert out == list(range(len(out)))
    if not stream.stopped:
        assert len(out) == len(texts)


def test_tags_of_a_stop_word_are_dropped() -> None:
    stream: TextStream[str] = TextStream(["there!"])
    assert stream.push(b"Hello", "one") == ("Hello", ("one",))
    assert stream.push(b" the", "two") == (" ", ())
    assert stream.push(b"re!", "three") == ("", ("two",))
    assert stream.stopped
