"""The options of a request: names, types, defaults, and which of them belong to loading.

Facts: API spec, section 3.4.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from puna.errors import BadRequest, InvalidOption, quoted

__all__ = ["KINDS", "LOAD_TIME", "Bias", "Options", "merge_options"]

Bias = tuple[int | str, float]
"""A token's id, or a text whose tokens are meant, and what is added to its logit."""

MAX_BIASES = 1024
MAX_BIAS = 100.0
"""This much against a token forbids it."""
MAX_BIASED_TEXT = 256  # characters
MAX_STOPS = 256
MAX_STOP_TEXT = 8192
"""Characters of all stop words together: each token's text is compared with all of them."""


@dataclass(frozen=True, slots=True)
class Options:
    """Every option with its default. None: not set, decided from model and machine."""

    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int = -1
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int = 0
    draft_num_predict: int | None = None

    num_keep: int = 4
    seed: int = -1
    num_predict: int = -1
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[Bias, ...] = ()
    stop: tuple[str, ...] = field(default=())


LOAD_TIME = frozenset(
    {"num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict"}
)
"""Options that shape the loaded model; the others may differ between requests to one runner."""

_FLOATS = {"top_p", "min_p", "typical_p", "temperature", "repeat_penalty"} | {
    "presence_penalty",
    "frequency_penalty",
    "mirostat_tau",
    "mirostat_eta",
}
_SPECIAL = {"use_mmap": "boolean", "stop": "array", "logit_bias": "object"}

KINDS: dict[str, str] = {
    spec.name: _SPECIAL.get(spec.name, "float32" if spec.name in _FLOATS else "integer")
    for spec in dataclasses.fields(Options)
}
"""Option name to the name of its type, as error texts spell it."""

_INT_LIMIT = 2**63


def merge_options(*sources: Mapping[str, Any]) -> tuple[Options, tuple[str, ...]]:
    """Lay option maps over the defaults, later ones winning key by key.

    Nulls and unknown names are ignored; the unknown names are returned for the log.
    Raises InvalidOption for a value of the wrong type, BadRequest for a bias out of range and for
    more stop words than an answer can be searched for.
    """
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for source in sources:
        for name, value in source.items():
            if name not in KINDS:
                unknown.append(name)
            elif value is not None:
                values[name] = _typed(name, value)
    return Options(**values), tuple(unknown)


def _typed(name: str, value: Any) -> Any:
    kind = KINDS[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "integer" if is_number and abs(value) < _INT_LIMIT:
            return int(value)
        case "float32" if is_number and abs(value) <= sys.float_info.max:  # no NaN is, either
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "array" if isinstance(value, list | tuple):
            if not all(isinstance(item, str) for item in value):
                raise InvalidOption(f'option "{name}" must be of an array of strings')
            return _stops(value)
        case "object" if isinstance(value, Mapping):
            return _biases(value)
    raise InvalidOption(f'option "{name}" must be of type {kind}')


def _stops(value: Sequence[str]) -> tuple[str, ...]:
    if len(value) > MAX_STOPS or sum(map(len, value)) > MAX_STOP_TEXT:
        raise BadRequest(
            f'option "stop" takes at most {MAX_STOPS} texts, of {MAX_STOP_TEXT} characters in all'
        )
    return tuple(value)


def _biases(value: Mapping[str, Any]) -> tuple[Bias, ...]:
    """Keys that are digits are token ids, others are texts."""
    if len(value) > MAX_BIASES:
        raise BadRequest(f'option "logit_bias" takes at most {MAX_BIASES} tokens')
    return tuple((_biased(key), _bias(key, bias)) for key, bias in value.items())


def _biased(key: str) -> int | str:
    if not key or len(key) > MAX_BIASED_TEXT:
        raise BadRequest(f'option "logit_bias" takes texts of 1 to {MAX_BIASED_TEXT} characters')
    return int(key) if key.isascii() and key.isdigit() else key


def _bias(key: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -MAX_BIAS <= value <= MAX_BIAS:
        raise BadRequest(f'option "logit_bias" of {quoted(key)} must be a number from -100 to 100')
    return float(value)
