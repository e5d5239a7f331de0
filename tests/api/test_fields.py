"""Keep-alive times, think values and images, as clients send them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.decode import decode
from puna.api.fields import KeepAlive, MediaData, Think, read_field
from puna.api.requests import ChatRequest, GenerateRequest
from puna.config import FOREVER
from puna.errors import BadRequest

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)

KEPT: dict[str, tuple[object, float]] = {
    "seconds": (42, 42.0),
    "fractions": (42.5, 42.5),
    "zero": (0, 0.0),
    "negative": (-1, FOREVER),
    "a little negative": (-0.5, FOREVER),
    "more than a float holds": (10**400, FOREVER),
    "a duration": ("5m", 300.0),
    "two units": ("1h30m", 5400.0),
    "milliseconds": ("300ms", 0.3),
    "zero as text": ("0", 0.0),
    "zero seconds": ("0s", 0.0),
    "negative duration": ("-1m", FOREVER),
}


@pytest.mark.parametrize(("value", "seconds"), KEPT.values(), ids=KEPT)
def test_keep_alive(value: object, seconds: float) -> None:
    assert KeepAlive.parse(value).seconds == seconds


NOT_KEPT: dict[str, tuple[object, str]] = {
    "no unit": ("5", 'time: missing unit in duration "5"'),
    "empty": ("", 'time: invalid duration ""'),
    "words": ("forever", 'time: invalid duration "forever"'),
    "true": (True, "Unsupported type: 'bool'"),
    "false": (False, "Unsupported type: 'bool'"),
    "list": ([5], "Unsupported type: '[]interface {}'"),
    "object": ({}, "Unsupported type: 'map[string]interface {}'"),
}


@pytest.mark.parametrize(("value", "complaint"), NOT_KEPT.values(), ids=NOT_KEPT)
def test_no_keep_alive(value: object, complaint: str) -> None:
    with pytest.raises(BadRequest) as caught:
        KeepAlive.parse(value)
    assert str(caught.value) == complaint


@pytest.mark.parametrize("value", [True, "high", "medium", "low", "max"])
def test_thinking_is_asked_for(value: bool | str) -> None:
    think = Think.parse(value)
    assert think.value == value
    assert think.enabled


def test_thinking_is_declined() -> None:
    assert not Think.parse(False).enabled


LEVELS = '(must be "high", "medium", "low", "max", true, or false)'
TYPES = 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'

NO_THOUGHTS: dict[str, tuple[object, str]] = {
    "another level": ("extreme", f'invalid think value: "extreme" {LEVELS}'),
    "empty": ("", f'invalid think value: "" {LEVELS}'),
    "upper case": ("HIGH", f'invalid think value: "HIGH" {LEVELS}'),
    "a number": (1, TYPES),
    "a list": ([], TYPES),
    "an object": ({}, TYPES),
}


@pytest.mark.parametrize(("value", "complaint"), NO_THOUGHTS.values(), ids=NO_THOUGHTS)
def test_no_think_value(value: object, complaint: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Think.parse(value)
    assert str(caught.value) == complaint


@given(st.binary(), st.integers(1, 80))
def test_images_come_through_with_line_breaks(data: bytes, width: int) -> None:
    text = base64.b64encode(data).decode()
    lines = "\r\n".join(text[at : at + width] for at in range(0, len(text), width))
    assert MediaData.parse(lines) == data


NO_IMAGES: dict[str, object] = {
    "a data URL": "data:image/png;base64,AAAA",
    "no padding": "AAA",
    "a blank": "AA AA",
    "URL letters": "_-__",
    "not ASCII": "ÄÄÄÄ",
}


@pytest.mark.parametrize("value", NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_is_no_base64(value: object) -> None:
    with pytest.raises(BadRequest, match=r"^illegal base64 data"):
        MediaData.parse(value)


@pytest.mark.parametrize("value", [5, True, ["AAAA"], {}])
def test_images_are_texts(value: object) -> None:
    with pytest.raises(BadRequest):
        MediaData.parse(value)


@pytest.mark.parametrize("kind", [KeepAlive, Think, MediaData])
@given(value=ANY_JSON)
def test_any_value_is_read_or_refused(kind: type, value: Any) -> None:
    try:
        read = read_field(kind, value)
    except BadRequest:
        return
    assert isinstance(read, kind)
    if isinstance(read, KeepAlive):
        assert read.seconds >= 0  # which no NaN is


def test_other_types_are_left_to_the_decoder() -> None:
    with pytest.raises(NotImplementedError):
        read_field(dict, {})


def test_a_request_reports_a_bad_field_in_its_own_words() -> None:
    with pytest.raises(BadRequest, match=r"^Unsupported type: 'bool'$"):
        decode(ChatRequest, b'{"keep_alive": true}')
    with pytest.raises(BadRequest, match=r"^illegal base64 data"):
        decode(ChatRequest, b'{"messages": [{"images": ["data:image/png;base64,AAAA"]}]}')
    with pytest.raises(BadRequest, match=r"^invalid think value"):
        decode(GenerateRequest, b'{"think": "extreme"}')
