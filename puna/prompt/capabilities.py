"""What a model can do, from its config, its file and its chat template.

Facts: API spec, 13.4 steps 1, 2, 3 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from puna.gguf.describe import Description
from puna.prompt.layer import LayerTemplate
from puna.prompt.thinking import tags_of
from puna.prompt.toolcalls import writes_calls

__all__ = ["capabilities_of", "of_chat_template", "of_layer"]

_DEAF = frozenset({"nemotron_h_omni"})
"""Architectures whose audio encoder counts for nothing."""

_THINKING_FAMILIES = frozenset({"gptoss", "gpt-oss"})


def capabilities_of(
    config_capabilities: Iterable[str],
    description: Description | None,
    projectors: Sequence[Description | None],
    chat_template: str | None,
    layer: LayerTemplate | None = None,
) -> tuple[str, ...]:
    """The words of `capabilities`, in the reference's order, each once.

    `chat_template` is the file's Jinja template where prompts are made with it, else None;
    likewise `layer`, the manifest's Go template. A projector that cannot be read is None.

    The reference derives `tools` from any Jinja template that mentions `tools` or `tool_call`. Here
    it takes one whose calls can be read (toolcalls.py): a promise that is kept.
    """
    words = [*config_capabilities]
    if chat_template is not None:
        words += of_chat_template(chat_template)
    if description is not None:
        words += description.capabilities
    for projector in projectors:
        words += projector.capabilities if _is_projector(projector) else ("vision",)
    if layer is not None:
        words += of_layer(layer)
    if description is not None and description.architecture in _THINKING_FAMILIES:
        words.append("thinking")
    if description is not None and description.architecture in _DEAF:
        words = [word for word in words if word != "audio"]
    return tuple(dict.fromkeys(words))


def _is_projector(found: Description | None) -> TypeGuard[Description]:
    return found is not None and found.kind == "projector"


def of_chat_template(chat_template: str) -> list[str]:
    """What a Jinja template makes of its model."""
    words = ["tools"] if writes_calls(chat_template) else []
    return [*words, "thinking"] if tags_of(chat_template) else words


def of_layer(layer: LayerTemplate) -> list[str]:
    """What a Go template makes of its model."""
    words = {
        "tools": "tools" in layer.variables,
        "insert": "suffix" in layer.variables,
        "thinking": layer.thinking_tags is not None,
    }
    return [word for word, able in words.items() if able]
