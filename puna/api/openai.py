"""The bodies that clients of the OpenAI API send. Facts: compatibility spec, 2.1, 3.1, 4 and 9.

What is not named here is ignored, as are fields that only matter to the vendor's own service.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from puna.api.fields import KeepAlive, Think

__all__ = [
    "ChatCompletionRequest",
    "ChatMessage",
    "CompletionRequest",
    "EmbeddingRequest",
    "Extensions",
    "Reasoning",
    "StreamOptions",
]


class StreamOptions(Struct, kw_only=True):
    """What a stream has besides the answer."""

    include_usage: bool = False


class Reasoning(Struct, kw_only=True):
    """How hard to think."""

    effort: str = ""


class CalledFunction(Struct, kw_only=True):
    """The function of a call; `arguments` is the text of a JSON object."""

    name: str = ""
    arguments: str = ""


class MessageToolCall(Struct, kw_only=True):
    """A call that the model asked for earlier."""

    id: str = ""
    function: CalledFunction = field(default_factory=CalledFunction)


class ChatMessage(Struct, kw_only=True):
    """One message. `content` is a text, a list of parts, or nothing beside calls."""

    role: str = ""
    content: Any = None
    reasoning: str = ""
    reasoning_content: str = ""
    tool_calls: list[MessageToolCall] | None = None
    function_call: CalledFunction | None = None
    """The older form of a call: one for each message, without an id."""
    name: str = ""
    tool_call_id: str = ""


class Extensions(Struct, kw_only=True):
    """Fields of the native API, which clients send as extra ones."""

    options: dict[str, Any] = field(default_factory=dict)
    keep_alive: KeepAlive | None = None
    think: Think | None = None
    thinking_budget: int = 0
    truncate: bool | None = None
    shift: bool | None = None
    grammar: str = ""
    regex: str = ""
    guided_json: Any = None
    guided_regex: str = ""
    guided_choice: list[str] | None = None
    guided_grammar: str = ""
    structured_outputs: dict[str, Any] = field(default_factory=dict)
    json_schema: dict[str, Any] | None = None
    priority: str = ""
    debug_render_only: bool = field(default=False, name="_debug_render_only")

    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    num_thread: int | None = None
    num_keep: int | None = None
    num_predict: int | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_last_n: int | None = None
    repeat_penalty: float | None = None
    repetition_penalty: float | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    draft_num_predict: int | None = None


class _Generation(Extensions, kw_only=True):
    """What both kinds of completions have in common."""

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = 1
    max_tokens: int | None = None
    seed: int | None = None
    stop: Any = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, Any] | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with its figures."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatCompletionRequest(_Generation, kw_only=True):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = field(default_factory=list)
    max_completion_tokens: int | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    functions: list[dict[str, Any]] = field(default_factory=list)
    function_call: Any = None
    reasoning: Reasoning | None = None
    reasoning_effort: str = ""
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    logprobs: bool = False
    top_logprobs: int = 0
    modalities: list[str] = field(default_factory=list)
    service_tier: str | None = None

    @property
    def is_older(self) -> bool:
        """Whether tools are told in the older form, as `functions`: calls are answered in it."""
        return bool(self.functions) and not self.tools


class CompletionRequest(_Generation, kw_only=True):
    """POST /v1/completions. `raw` is of our own: the prompt goes past the template."""

    prompt: Any = None
    suffix: str = ""
    echo: bool = False
    best_of: int = 1
    logprobs: int = 0
    raw: bool = False


class EmbeddingRequest(Struct, kw_only=True):
    """POST /v1/embeddings. `truncate`, `keep_alive`, `options`, `priority` are the native API's."""

    model: str = ""
    input: Any = None
    dimensions: int = 0
    encoding_format: str = "float"
    truncate: bool | None = None
    keep_alive: KeepAlive | None = None
    options: dict[str, Any] = field(default_factory=dict)
    priority: str = ""
