"""What a model can do, from its config, its file and its chat template.

Facts: API spec, 13.4 steps 1, 2, 3 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from puna.gguf.describe import Description
from puna.prompt.layer import LayerTemplate
from puna.prompt.parsers import by_marks, by_name
from puna.prompt.thinking import tags_of

__all__ = ["capabilities_of", "of_chat_template", "of_layer", "writes_json_calls"]

_DEAF = frozenset({"nemotron_h_omni"})
"""Architectures whose audio encoder counts for nothing."""

_THINKING_FAMILIES = frozenset({"gptoss", "gpt-oss"})


def capabilities_of(
    config_capabilities: Iterable[str],
    description: Description | None,
    projectors: Sequence[Description | None],
    chat_template: str | None,
    layer: LayerTemplate | None = None,
    parser: str = "",
) -> tuple[str, ...]:
    """The words of `capabilities`, in the reference's order, each once.

    `chat_template` is the file's Jinja template where prompts are made with it, else None;
    likewise `layer`, the manifest's Go template. A projector that cannot be read is None. `parser`
    is the manifest's word for how the model's answers are read.

    The reference derives `tools` from any Jinja template that mentions `tools` or `tool_call`. Here
    it takes one whose calls can be read (parsers/): a promise that is kept.
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
    words += of_parser(parser)
    if description is not None and description.architecture in _THINKING_FAMILIES:
        words.append("thinking")
    if description is not None and description.architecture in _DEAF:
        words = [word for word in words if word != "audio"]
    return tuple(dict.fromkeys(words))


def _is_projector(found: Description | None) -> TypeGuard[Description]:
    return found is not None and found.kind == "projector"


def of_chat_template(chat_template: str) -> list[str]:
    """What a Jinja template makes of its model."""
    marks = by_marks(chat_template)
    calls = writes_json_calls(chat_template) or (marks is not None and "tools" in chat_template)
    thinks = tags_of(chat_template) or (marks is not None and marks.thinks(chat_template))
    return ["tools"] * bool(calls) + ["thinking"] * bool(thinks)


def writes_json_calls(chat_template: str) -> bool:
    """Whether a Jinja template asks for calls as JSON between `<tool_call>` tags."""
    return all(
        text in chat_template for text in ("<tool_call>", "</tool_call>", "tools", "arguments")
    ) and not any(text in chat_template for text in ("<function=", "<arg_key>"))


def of_parser(name: str) -> list[str]:
    """What a parser that the manifest names makes of its model."""
    family = by_name(name)
    if family is None:
        return []
    return ["tools"] * family.has_tools + ["thinking"] * family.has_thinking


def of_layer(layer: LayerTemplate) -> list[str]:
    """What a Go template makes of its model."""
    words = {
        "tools": "tools" in layer.variables,
        "insert": "suffix" in layer.variables,
        "thinking": layer.thinking_tags is not None,
    }
    return [word for word, able in words.items() if able]
