"""Options: merging, rounding, and the exact words about wrong types."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.options import KINDS, LOAD_TIME, Options, merge_options
from puna.errors import BadRequest, InvalidOption
from tests.api.test_fields import ANY_JSON


def test_the_defaults() -> None:
    options, unknown = merge_options()
    assert unknown == ()
    assert dataclasses.asdict(options) == {
        "num_ctx": None,
        "num_batch": None,
        "num_gpu": -1,
        "main_gpu": None,
        "use_mmap": None,
        "num_thread": 0,
        "draft_num_predict": None,
        "num_keep": 4,
        "seed": -1,
        "num_predict": -1,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_last_n": 64,
        "temperature": 0.8,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "mirostat": 0,
        "mirostat_tau": 5.0,
        "mirostat_eta": 0.1,
        "logit_bias": (),
        "stop": (),
    }


TAKEN: dict[str, tuple[str, object, object]] = {
    "a fraction is cut off": ("num_ctx", 4096.9, 4096),
    "towards zero": ("num_keep", -1.9, -1),
    "a whole number for a float": ("temperature", 1, 1.0),
    "a float": ("top_p", 0.5, 0.5),
    "a boolean": ("use_mmap", False, False),
    "card zero is set": ("main_gpu", 0, 0),
    "texts": ("stop", ["a", "b"], ("a", "b")),
    "no texts": ("stop", [], ()),
    "biases of ids and of texts": (
        "logit_bias",
        {"15": -100, "cat": 1.5, "007": 2},
        ((15, -100.0), ("cat", 1.5), (7, 2.0)),
    ),
}


@pytest.mark.parametrize(("name", "value", "expected"), TAKEN.values(), ids=TAKEN)
def test_values_are_taken(name: str, value: object, expected: object) -> None:
    taken = getattr(merge_options({name: value})[0], name)
    assert taken == expected
    assert type(taken) is type(expected)


REFUSED: dict[str, tuple[str, object, str]] = {
    "text for a float": ("temperature", "hot", 'option "temperature" must be of type float32'),
    "text for a whole number": ("num_ctx", "4096", 'option "num_ctx" must be of type integer'),
    "true for a whole number": ("top_k", True, 'option "top_k" must be of type integer'),
    "true for a float": ("min_p", True, 'option "min_p" must be of type float32'),
    "a number for a flag": ("use_mmap", 1, 'option "use_mmap" must be of type boolean'),
    "text for a list": ("stop", "x", 'option "stop" must be of type array'),
    "a number in the list": ("stop", ["x", 1], 'option "stop" must be of an array of strings'),
    "null in the list": ("stop", [None], 'option "stop" must be of an array of strings'),
    "a list for a map": ("logit_bias", [1], 'option "logit_bias" must be of type object'),
    "a list for a number": ("seed", [1], 'option "seed" must be of type integer'),
    "no number": ("temperature", math.nan, 'option "temperature" must be of type float32'),
    "beyond numbers": ("num_ctx", math.inf, 'option "num_ctx" must be of type integer'),
    "beyond 64 bits": ("seed", 2**64, 'option "seed" must be of type integer'),
    "beyond a float": ("temperature", 10**400, 'option "temperature" must be of type float32'),
}


@pytest.mark.parametrize(("name", "value", "complaint"), REFUSED.values(), ids=REFUSED)
def test_wrong_types_are_told(name: str, value: object, complaint: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        merge_options({name: value})
    assert str(caught.value) == complaint
    assert caught.value.status == 400


BAD_BIASES: dict[str, tuple[dict[str, object], str]] = {
    "too many": ({str(n): 1 for n in range(1025)}, "at most 1024 tokens"),
    "no text": ({"": 1}, "texts of 1 to 256 characters"),
    "a long text": ({"x" * 257: 1}, "texts of 1 to 256 characters"),
    "too much": ({"cat": 101}, '"cat" must be a number from -100 to 100'),
    "too little": ({"7": -100.5}, '"7" must be a number from -100 to 100'),
    "no number": ({"7": math.nan}, "must be a number from -100 to 100"),
    "a text": ({"7": "1"}, "must be a number from -100 to 100"),
    "true": ({"7": True}, "must be a number from -100 to 100"),
}


@pytest.mark.parametrize(("biases", "complaint"), BAD_BIASES.values(), ids=BAD_BIASES)
def test_biases_out_of_range_are_told(biases: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint) as caught:
        merge_options({"logit_bias": biases})
    assert caught.value.status == 400


BAD_STOPS: dict[str, list[str]] = {
    "too many": [str(n) for n in range(257)],
    "too long": ["a" * 8193],
    "too long in all": ["a" * 4097, "b" * 4096],
}


@pytest.mark.parametrize("stops", BAD_STOPS.values(), ids=BAD_STOPS)
def test_more_stop_words_than_every_token_can_be_compared_with(stops: list[str]) -> None:
    with pytest.raises(BadRequest, match="at most 256 texts, of 8192 characters in all") as caught:
        merge_options({"stop": stops})
    assert caught.value.status == 400


RETIRED = ("numa", "penalize_newline", "tfs_z", "low_vram", "f16_kv", "use_mlock")


@pytest.mark.parametrize("name", RETIRED)
def test_unknown_names_are_ignored_and_told(name: str) -> None:
    assert merge_options({name: object()}) == (Options(), (name,))


def test_nulls_leave_what_was_there() -> None:
    options, _ = merge_options({"top_k": 5, "stop": ["a"]}, {"top_k": None, "stop": None})
    assert (options.top_k, options.stop) == (5, ("a",))


def test_later_maps_win_key_by_key_and_lists_are_replaced() -> None:
    options, _ = merge_options(
        {"top_k": 5, "seed": 1, "stop": ["a", "b"]}, {"seed": 2, "stop": ["c"]}
    )
    assert (options.top_k, options.seed, options.stop) == (5, 2, ("c",))


def test_options_that_belong_to_loading_are_options() -> None:
    assert set(KINDS) > LOAD_TIME


@given(st.dictionaries(st.sampled_from(sorted(KINDS)), ANY_JSON))
def test_any_values_are_merged_or_refused(values: dict[str, Any]) -> None:
    try:
        options, _ = merge_options(values)
    except BadRequest as wrong:
        refused = str(wrong)
    else:
        refused = ""
        assert all(math.isfinite(n) for n in dataclasses.astuple(options) if isinstance(n, float))
    assert refused == "" or refused.startswith('option "')
