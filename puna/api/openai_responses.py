"""The bodies of POST /v1/responses and /v1/responses/input_tokens. Facts: compatibility spec, 6.1.

Items, parts and tools stay as they came: they are echoed and stored, and the translation reads each
by its type.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from puna.api.openai import Extensions

__all__ = ["ReasoningConfig", "ResponsesRequest", "TextConfig"]


class ReasoningConfig(Struct, kw_only=True):
    """How hard to think. Summaries are the thoughts themselves, whatever is asked for."""

    effort: str | None = None
    summary: str | None = None


class TextConfig(Struct, kw_only=True):
    """The form of the answer."""

    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ResponsesRequest(Extensions, kw_only=True):
    """POST /v1/responses. What is not named here is ignored."""

    model: str = ""
    input: Any = None
    instructions: Any = None
    previous_response_id: str | None = None
    store: bool = True
    stream: bool = False
    background: bool = False
    conversation: Any = None
    prompt: Any = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    reasoning: ReasoningConfig | None = None
    text: TextConfig | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    max_tool_calls: int | None = None
    truncation: str | None = None
    include: list[str] = field(default_factory=list)
    top_logprobs: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
