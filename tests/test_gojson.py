"""JSON as Go writes it: numbers, escapes, key order; and reading that never fails by surprise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.gojson import (
    MAX_DEPTH,
    Fields,
    Json,
    decode_first,
    encode,
    format_general,
    format_number,
)

NUMBERS = {
    1.0: "1", 0.7: "0.7", 0.0: "0", -1e-9: "-1e-9", 100.0: "100", 1e-6: "0.000001", 1e-7: "1e-7",
    1.5e-7: "1.5e-7", 1e20: "100000000000000000000", 1e21: "1e+21", 1.25e22: "1.25e+22",
    -2.5: "-2.5", 123456789.0: "123456789", 5e-324: "5e-324", 1e-10: "1e-10", 3: "3",
    2**63: "9223372036854775808", 12345678901234567890.0: "12345678901234567000",
}  # fmt: skip


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_numbers(value: float, text: str) -> None:
    assert format_number(value) == text


GENERAL = {
    1048576: "1.048576e+06", 131072: "131072", 999999: "999999", 1000000: "1e+06", 0.7: "0.7",
    0.0001: "0.0001", 0.00001: "1e-05", 0: "0", -1: "-1", 1.5e100: "1.5e+100", -0.00025: "-0.00025",
}  # fmt: skip


@pytest.mark.parametrize(("value", "text"), GENERAL.items())
def test_printed_numbers(value: float, text: str) -> None:
    assert format_general(value) == text


TEXTS = {
    "html": ("<a&b>", r'"\u003ca\u0026b\u003e"'),
    "separators": ("\u2028\u2029", r'"\u2028\u2029"'),
    "short forms": ('\b\f\n\r\t"\\', r'"\b\f\n\r\t\"\\"'),
    "controls": ("\x00\x1f\x7f", '"\\u0000\\u001f\x7f"'),
    "other letters stay": ("naïve 🙂", '"naïve 🙂"'),
    "half a pair": ("\ud83d", '"\ufffd"'),
}


@pytest.mark.parametrize(("value", "text"), TEXTS.values(), ids=TEXTS)
def test_strings(value: str, text: str) -> None:
    assert encode(value).decode() == text


def test_maps_are_sorted_by_bytes_and_fields_are_not() -> None:
    assert encode({"b": 1, "a": 2, "é": 3, "Z": None}) == '{"Z":null,"a":2,"b":1,"é":3}'.encode()
    assert encode(Fields(b=[True, False], a={}), newline=True) == b'{"b":[true,false],"a":{}}\n'


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_can_be_read_can_be_written(opening: str) -> None:
    """Both recurse: whoever reads what is nested as deep as may be, is able to write it."""
    closing = "]" if opening == "[" else "}"
    deepest = opening * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1)
    assert encode(decode_first(deepest.encode())).decode() == deepest
    for depth in (MAX_DEPTH, 700, 100_000):
        deeper = opening * depth + "1" + closing * depth
        with pytest.raises(ValueError, match="nested too deeply"):
            decode_first(deeper.encode())


def test_what_is_nested_too_deeply_is_not_written() -> None:
    value: Json = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        encode(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_hold(value: float) -> None:
    with pytest.raises(ValueError, match="unsupported value"):
        encode({"x": value})


READINGS: dict[str, tuple[bytes, Json]] = {
    "only the first value": (b' {"a":1} trailing {', {"a": 1}),
    "bad UTF-8": (b'"\xff"', "\ufffd"),
    "half a pair": (rb'["\ud800", {"\udc00": 1}]', ["\ufffd", {"\ufffd": 1}]),
    "a whole pair": (rb'"\ud83d\ude42"', "🙂"),
}


@pytest.mark.parametrize(("raw", "value"), READINGS.values(), ids=READINGS)
def test_reading(raw: bytes, value: Json) -> None:
    assert decode_first(raw) == value


BAD = {
    "nothing": b"",
    "cut": b'{"a":',
    "not a number": b"NaN",
    "infinite": b"-Infinity",
    "beyond a double": b"1e999",
    "too many digits": b"9" * 10_000,
    "too deep": b"[" * 200_000,
    "byte-order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_bad_input_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the wording is the decoder's
        decode_first(raw)


NUMBER = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBER | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_reads_back(value: Json) -> None:
    assert json.loads(encode(value), parse_int=float) == value


def test_zero_keeps_its_sign() -> None:
    assert encode([0.0, -0.0]) == b"[0,-0]"


@given(NUMBER)
def test_printed_numbers_keep_their_value(value: float) -> None:
    assert float(format_general(value)) == value
    assert float(format_number(value)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_an_error(raw: bytes) -> None:
    try:
        encode(decode_first(raw))
    except ValueError:
        return
