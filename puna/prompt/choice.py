"""Which of two templates makes the prompts, where a manifest has one and the weights another.

Facts: prompting spec, 0; models spec, 19.2.
"""

from __future__ import annotations

import re

from puna.prompt.capabilities import of_chat_template, of_layer
from puna.prompt.layer import LayerTemplate

__all__ = ["prefers_chat_template"]

_LAYER_RESULTS = ('eq .Role "tool"', "tool_response", "TOOL_RESULTS")
_CHAT_CALLS = ("tool_calls", "assistant_tool_call")
_CHAT_RESULTS = re.compile(
    r"""tool_response|tool_results|ipython|role['"\]\s]*==\s*['"]tool['"]|['"]tool['"]\s*==\s*\S*role"""
)


def prefers_chat_template(layer: LayerTemplate, chat_template: str) -> bool:
    """Whether the weights' Jinja template does more than the manifest's Go template.

    That is tools, thinking and insertion, and of tools whether calls and results of earlier turns
    are shown.
    """
    theirs, ours = set(of_chat_template(chat_template)), set(of_layer(layer))
    goes_round = "tools" in theirs and _shows_calls(chat_template)
    layer_goes_round = _layer_shows_calls(layer)
    if len(theirs) > len(ours):
        return goes_round or not layer_goes_round
    return theirs == ours and goes_round and not layer_goes_round


def _layer_shows_calls(layer: LayerTemplate) -> bool:
    return {"tools", "toolcalls"} <= layer.variables and any(
        mark in layer.source for mark in _LAYER_RESULTS
    )


def _shows_calls(chat_template: str) -> bool:
    return any(mark in chat_template for mark in _CHAT_CALLS) and bool(
        _CHAT_RESULTS.search(chat_template)
    )
