"""What both kinds of completions answer with. Facts: compatibility spec, 2.5 to 2.7 and 9.2."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from puna.api.events import Done, Logprob

__all__ = [
    "END",
    "FINGERPRINT",
    "IDLE",
    "CachedTokens",
    "DebugInfo",
    "ReasoningTokens",
    "Usage",
    "bytes_of",
    "encode",
    "new_id",
    "sse",
    "usage_of",
]

FINGERPRINT = "fp_ollama"
END = b"data: [DONE]\n\n"
IDLE = b": still working\n\n"
"""A comment, which readers of a stream skip."""

encode = msgspec.json.Encoder().encode


class CachedTokens(Struct):
    """How many tokens of the prompt were in the cache."""

    cached_tokens: int


class ReasoningTokens(Struct):
    """How many tokens of the answer were thoughts."""

    reasoning_tokens: int


class Usage(Struct, kw_only=True, omit_defaults=True):
    """What a request took, in tokens; that of a cached prompt is part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens | None = None
    completion_tokens_details: ReasoningTokens | None = None


class DebugInfo(Struct):
    """What `_debug_render_only` shows."""

    rendered_template: str
    image_count: int


def sse(value: object) -> bytes:
    """One event of a stream."""
    return b"data: %b\n\n" % encode(value)


def new_id(kind: str) -> str:
    """An id that nobody else has: `chatcmpl-…`."""
    return f"{kind}-{secrets.token_hex(16)}"


def usage_of(ends: Iterable[Done], per_prompt: int = 0) -> Usage:
    """The figures of all choices, in their order. Each `per_prompt` of them, or all, share a
    prompt, which counts once.
    """
    done = list(ends)
    firsts = done[:: per_prompt or max(1, len(done))]
    prompt = sum(each.prompt_tokens for each in firsts)
    answer = sum(each.eval_tokens for each in done)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        total_tokens=prompt + answer,
        prompt_tokens_details=CachedTokens(sum(each.cached_tokens for each in firsts)),
        completion_tokens_details=ReasoningTokens(sum(each.thinking_tokens for each in done)),
    )


def bytes_of(each: Logprob) -> list[int] | None:
    """A token's bytes; one without text has none."""
    return list(each.bytes) or None
