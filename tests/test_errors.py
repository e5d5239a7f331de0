"""The texts and statuses that clients compare, and Go's quotes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna import errors
from puna.errors import PunaError, quoted

QUOTED = {
    "plain": ("abc", '"abc"'),
    "empty": ("", '""'),
    "a quote": ('a"b', r'"a\"b"'),
    "a backslash": ("a\\b", r'"a\\b"'),
    "line ends": ("a\r\n\tb", r'"a\r\n\tb"'),
    "the rarer named controls": ("\a\b\v\f", r'"\a\b\v\f"'),
    "other controls": ("\x00\x1f\x7f", r'"\x00\x1f\x7f"'),
    "what prints stays": ("né 人 😀", '"né 人 😀"'),
    "what does not print": ("\u0085\u200b\ue000", r'"\u0085\u200b\ue000"'),
    "beyond sixteen bits": ("\U000e0001", r'"\U000e0001"'),
    "other blanks": ("a\u00a0b\u3000", r'"a\u00a0b\u3000"'),
}


@pytest.mark.parametrize(("text", "expected"), QUOTED.values(), ids=QUOTED)
def test_text_is_quoted_as_go_does(text: str, expected: str) -> None:
    assert quoted(text) == expected


@given(st.text())
def test_quoted_text_is_one_printable_line(text: str) -> None:
    line = quoted(text)
    assert line.isprintable()
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', line)


STATUSES = {
    "bad name": (errors.InvalidName(), 400, "invalid model name"),
    "bad digest": (errors.InvalidDigest("x"), 400, "invalid digest format"),
    "mismatch": (
        errors.DigestMismatch("sha256:a", "sha256:b"),
        400,
        'digest mismatch, expected "sha256:a", got "sha256:b"',
    ),
    "bad option": (errors.InvalidOption("x"), 400, "x"),
    "too large": (
        errors.TooLarge(5),
        413,
        "request body too large: at most 5 bytes are accepted",
    ),
    "forbidden": (errors.Forbidden("no"), 403, "no"),
    "no such model": (errors.ModelNotFound("m"), 404, "model 'm' not found"),
    "no such blob": (errors.BlobNotFound("d"), 404, 'blob "d" not found'),
    "client gone": (errors.Cancelled(), 499, "request canceled"),
    "busy": (
        errors.Busy(),
        503,
        "server busy, please try again.  maximum pending requests exceeded",
    ),
    "server's answer": (errors.ClientError("x", 418), 418, "x"),
    "no server": (errors.Unreachable("x"), 503, "x"),
    "other": (errors.TemplateError("x"), 400, "x"),
}


@pytest.mark.parametrize(("error", "status", "text"), STATUSES.values(), ids=STATUSES)
def test_errors_own_their_status_and_words(error: PunaError, status: int, text: str) -> None:
    assert (error.status, str(error)) == (status, text)


def test_a_dead_engine_says_what_clients_look_for() -> None:
    text = str(errors.EngineDied("signal 9"))
    assert text.startswith("model runner has unexpectedly stopped")
    assert "signal 9" in text
    assert errors.EngineDied().status == 500


def test_the_drawing_shows_the_tree() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+\b", (errors.__doc__ or "").partition("\n\n")[2]))
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, PunaError)
    }
    assert classes <= drawn
    assert classes | {"quoted"} == set(errors.__all__)
