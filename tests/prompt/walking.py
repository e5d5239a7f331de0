"""Texts that a grammar leaves, drawn at random: what a model that obeys it could write."""

from __future__ import annotations

import json
import random
import re

import numpy as np
from llguidance import LLMatcher, LLTokenizer

__all__ = ["fits", "wander"]

_BYTES = LLTokenizer("byte")
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_CLOSERS = (b'"', b"}", b"]")
_LONGEST = 6000


def _matcher(lark: str, answer: str) -> LLMatcher:
    grammars = [{"lark_grammar": lark}, {"name": "answer", "lark_grammar": f"start: {answer}"}]
    matcher = LLMatcher(_BYTES, json.dumps({"grammars": grammars}), log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    return matcher


def fits(lark: str, text: str, answer: str = '"!"') -> bool:
    """Whether a text is what the grammar wants, with nothing missing; `answer` is for `@answer`."""
    matcher = _matcher(lark, answer)
    raw = text.encode()
    return bool(matcher.try_consume_tokens([*raw]) == len(raw) and matcher.is_accepting())


def wander(lark: str, seed: int, answer: str = '"!"') -> str | None:
    """A text by chance, in which the grammar's own words are likely; None if it grew too long."""
    matcher, chance = _matcher(lark, answer), random.Random(seed)
    quoted = _LITERAL.findall(re.sub(r"%json .*", "", lark))
    words = sorted({json.loads(each).encode() for each in quoted})
    out = b""
    while not matcher.is_stopped():
        if len(out) > _LONGEST:
            return None
        if matcher.is_accepting() and chance.random() < 0.5:
            break
        step = _step(matcher, words, chance)
        assert matcher.consume_tokens([*step]), matcher.get_error()
        out += step
    return out.decode()


def _step(matcher: LLMatcher, words: list[bytes], chance: random.Random) -> bytes:
    closers = [each for each in _CLOSERS if matcher.validate_tokens([*each])]
    if closers and chance.random() < 0.4:
        return chance.choice(closers)
    able = [each for each in words if each and matcher.validate_tokens([*each]) == len(each)]
    if able and chance.random() < 0.7:
        return chance.choice(able)
    mask = np.frombuffer(matcher.compute_bitmask(), np.uint8)
    allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little")[:256]).tolist()
    simple = [byte for byte in allowed if byte < 128]  # others only to go on with a character
    return bytes([chance.choice(simple or allowed)])
