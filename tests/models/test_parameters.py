"""Parameters: typing of written values and the exact complaints."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from puna.errors import InvalidOption
from puna.gojson import Json, format_general
from puna.models.parameters import NAMES, as_float32, parameter_value, parameter_values

VALUES: dict[str, tuple[str, str, Json]] = {
    "float": ("temperature", "0.7", 0.7),
    "float without a whole part": ("top_p", ".5", 0.5),
    "float is rounded to 32 bits": ("min_p", "0.123456789", 0.12345679),
    "float in exponent form": ("repeat_penalty", "1e-1", 0.1),
    "int": ("num_ctx", "4096", 4096),
    "int with a sign": ("num_predict", "-1", -1),
    "int as generated Modelfiles print it": ("num_ctx", "1.048576e+06", 1048576),
    "largest int": ("seed", "9223372036854775807", 2**63 - 1),
    "bool": ("use_mmap", "T", True),
    "bool off": ("use_mmap", "0", False),
    "list": ("stop", "a b", ["a b"]),
}


@pytest.mark.parametrize(("name", "text", "value"), VALUES.values(), ids=VALUES)
def test_values(name: str, text: str, value: Json) -> None:
    found = parameter_value(name, text)
    assert found == value
    assert type(found) is type(value)


BAD = {
    "word for a float": ("temperature", "hot", "invalid float value [hot]"),
    "nothing for a float": ("temperature", "", "invalid float value []"),
    "not a number": ("temperature", "nan", "invalid float value [nan]"),
    "beyond 32 bits": ("temperature", "1e39", "invalid float value [1e39]"),
    "underscores": ("temperature", "1_0", "invalid float value [1_0]"),
    "fraction for an int": ("top_k", "1.5", "invalid int value [1.5]"),
    "a whole fraction for an int": ("top_k", "1.0", "invalid int value [1.0]"),
    "fraction in exponent form": ("top_k", "1.5e0", "invalid int value [1.5e0]"),
    "endless exponent": ("top_k", "1e999", "invalid int value [1e999]"),
    "beyond 64 bits": ("seed", "9223372036854775808", "invalid int value [9223372036854775808]"),
    "other digits": ("top_k", "٣", "invalid int value [٣]"),
    "yes for a bool": ("use_mmap", "yes", "invalid bool value [yes]"),
    "unknown": ("temprature", "1", "unknown parameter 'temprature'"),
    "empty": ("", "temperature 1", "unknown parameter ''"),
}


@pytest.mark.parametrize(("name", "text", "message"), BAD.values(), ids=BAD)
def test_complaints(name: str, text: str, message: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parameter_values([(name, text)])
    assert str(caught.value) == message


def test_lists_grow_and_others_are_replaced() -> None:
    values, warnings = parameter_values(
        [("stop", "a"), ("top_k", "1"), ("mirostat", "x"), ("stop", "b"), ("top_k", "2")]
    )
    assert values == {"stop": ["a", "b"], "top_k": 2}
    assert warnings == ("warning: parameter mirostat is deprecated",)


def test_there_are_twenty_parameters() -> None:
    assert len(NAMES) == 20


@example(3.4025001647762064e38)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_32_bit_floats_stay_themselves(value: float) -> None:
    short = as_float32(value)
    assert struct.pack("<f", short) == struct.pack("<f", value)
    assert len(repr(short)) <= len(repr(value)) or short == value


@given(st.text(), st.sampled_from(sorted(NAMES)))
def test_any_text_is_a_value_or_a_complaint(text: str, name: str) -> None:
    try:
        value = parameter_value(name, text)
    except InvalidOption:
        return
    assert isinstance(value, list | int | float)
    assert not isinstance(value, float) or math.isfinite(value)


@given(st.integers(-(2**53), 2**53))
def test_printed_whole_numbers_are_read_back(value: int) -> None:
    assert parameter_value("seed", format_general(value)) == value
