"""The bodies that clients of the Anthropic API send. Facts: compatibility spec, sections 8 and 9.7.

Content is text or a list of blocks: it stays as it came, and the translation reads each block by
its type. Fields that are not named here are ignored.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

__all__ = [
    "Block",
    "InputMessage",
    "JsonFormat",
    "MessagesRequest",
    "OutputConfig",
    "Source",
    "ThinkingConfig",
    "Tool",
    "ToolChoice",
]


class Source(Struct, kw_only=True):
    """Where the data of an image or a document is."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    content: Any = None


class Block(Struct, kw_only=True):
    """A block of content: every field that some kind of block has."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] = field(default_factory=dict)
    tool_use_id: str = ""
    tool_name: str = ""
    is_error: bool = False
    title: str = ""
    content: Any = None
    source: Any = None
    """A `Source`, but the address of a search result."""


class InputMessage(Struct, kw_only=True):
    """A message of the conversation; `content` is text or a list of blocks."""

    role: str = ""
    content: Any = None


class Tool(Struct, kw_only=True):
    """A tool; its schema goes to the model as it is. A `type` names one that the API brings."""

    type: str = "custom"
    name: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)


class ToolChoice(Struct, kw_only=True):
    """Which tools the model may, or must, call."""

    type: str = "auto"
    name: str = ""
    disable_parallel_tool_use: bool = False


class ThinkingConfig(Struct, kw_only=True):
    """Whether the model should think. With `display` "omitted" its thoughts are not shown."""

    type: str = ""
    budget_tokens: int = 0
    display: str = ""


class JsonFormat(Struct, kw_only=True):
    """What the text of the answer is held to."""

    type: str = ""
    schema: dict[str, Any] = field(default_factory=dict)


class OutputConfig(Struct, kw_only=True):
    """How hard to think, and the form of the answer."""

    effort: str = ""
    format: JsonFormat | None = None


class Metadata(Struct, kw_only=True):
    """About the request; read for its types alone."""

    user_id: str = ""


class MessagesRequest(Struct, kw_only=True):
    """POST /v1/messages and /v1/messages/count_tokens."""

    model: str = ""
    max_tokens: int | None = None
    """0 only reads the prompt, so that it is in the cache."""
    messages: list[InputMessage] = field(default_factory=list)
    system: Any = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    context_management: dict[str, Any] | None = None
    """Nothing of a conversation is ever edited here, and the answer says so."""
    metadata: Metadata | None = None
