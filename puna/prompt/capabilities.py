"""What a model can do, from its config, its file and its chat template.

Facts: API spec, 13.4 steps 1, 2, 3 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable

from puna.gguf.describe import Description
from puna.prompt.thinking import tags_of
from puna.prompt.toolcalls import writes_calls

__all__ = ["capabilities_of"]

_THINKING_FAMILIES = frozenset({"gptoss", "gpt-oss"})


def capabilities_of(
    config_capabilities: Iterable[str],
    description: Description | None,
    has_projector: bool,
    chat_template: str | None,
) -> tuple[str, ...]:
    """The words of `capabilities`, in the reference's order, each once.

    `chat_template` is the file's Jinja template where prompts are made with it, else None.

    The reference derives `tools` from any Jinja template that mentions `tools` or `tool_call`. Here
    it takes one whose calls can be read (toolcalls.py): a promise that is kept.
    """
    words = [*config_capabilities]
    if chat_template is not None:
        words += _of_template(chat_template)
    if description is not None:
        words += description.capabilities
    if has_projector:
        words.append("vision")
    if description is not None and description.architecture in _THINKING_FAMILIES:
        words.append("thinking")
    return tuple(dict.fromkeys(words))


def _of_template(chat_template: str) -> list[str]:
    words = ["tools"] if writes_calls(chat_template) else []
    return [*words, "thinking"] if tags_of(chat_template) else words
