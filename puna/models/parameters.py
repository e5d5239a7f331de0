"""The named parameters of a model: which there are, and how their written values are typed.

Facts: models spec, sections 5 and 20.4. Used by Modelfiles and by the prompt's `/set parameter`.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable

from puna.errors import InvalidOption
from puna.gojson import Json

__all__ = ["DEPRECATED", "NAMES", "as_float32", "parameter_value", "parameter_values"]

FLOATS = frozenset(
    [
        "temperature",
        "top_p",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
    ]
)
BOOLS = frozenset({"use_mmap"})
LISTS = frozenset({"stop"})
INTS = frozenset(
    [
        "num_keep",
        "seed",
        "num_predict",
        "top_k",
        "repeat_last_n",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "draft_num_predict",
    ]
)
NAMES = FLOATS | BOOLS | LISTS | INTS
DEPRECATED = frozenset(
    [
        "penalize_newline",
        "low_vram",
        "f16_kv",
        "logits_all",
        "vocab_only",
        "use_mlock",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
    ]
)

_TRUTH = dict.fromkeys(["1", "t", "T", "TRUE", "true", "True"], True) | dict.fromkeys(
    ["0", "f", "F", "FALSE", "false", "False"], False
)
_INT = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?([0-9]++\.?+[0-9]*+|\.[0-9]++)([eE][+-]?[0-9]{1,4})?")
INT_RANGE = range(-(2**63), 2**63)


def parameter_value(name: str, text: str) -> Json:
    """Read one written value by its parameter's type; a list gives its one item in a list.

    Raises InvalidOption.
    """
    if name in FLOATS:
        return _float(text)
    if name in INTS:
        return _int(text)
    if name in BOOLS:
        if text not in _TRUTH:
            raise InvalidOption(f"invalid bool value [{text}]")
        return _TRUTH[text]
    if name in LISTS:
        return [text]
    raise InvalidOption(f"unknown parameter '{name}'")


def parameter_values(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, Json], tuple[str, ...]]:
    """Type written parameters; returns the values and warnings about those that are ignored.

    Lists grow with each mention, of the others the last one counts. Raises InvalidOption.
    """
    values: dict[str, Json] = {}
    warnings = []
    for name, text in pairs:
        if name in DEPRECATED:
            warnings.append(f"warning: parameter {name} is deprecated")
            continue
        value = parameter_value(name, text)
        before = values.get(name)
        if isinstance(before, list) and isinstance(value, list):
            value = [*before, *value]
        values[name] = value
    return values, tuple(warnings)


def _float(text: str) -> float:
    number = as_float32(float(text)) if _FLOAT.fullmatch(text) else math.inf
    if not math.isfinite(number):
        raise InvalidOption(f"invalid float value [{text}]")
    return number


def as_float32(value: float) -> float:
    """The shortest decimal that means the same 32-bit float; infinity beyond its range."""
    packed = _pack(value)
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if packed and _pack(short) == packed:  # rounded up, the largest floats leave the range
            return short
    return math.inf


def _pack(value: float) -> bytes | None:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return None


def _int(text: str) -> int:
    """A whole number; also in the exponent form in which generated Modelfiles print large ones."""
    number = None
    if _INT.fullmatch(text):
        number = int(text)
    elif "e" in text.lower() and _FLOAT.fullmatch(text) and float(text).is_integer():
        number = int(float(text))
    if number is None or number not in INT_RANGE:
        raise InvalidOption(f"invalid int value [{text}]")
    return number
