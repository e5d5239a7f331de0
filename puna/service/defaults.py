"""What a new model gets because of what its weights are, where nobody asks for something else.

Facts: models spec, sections 15.4 and 18.
"""

from __future__ import annotations

from puna.gguf.describe import Description
from puna.prompt.detect import detect
from puna.service.building import ModelBuilder

__all__ = ["set_defaults", "set_stop"]

_STYLES = {
    "gemma4": "gemma4",
    "laguna": "laguna",
    "nemotron_h": "nemotron-3-nano",
    "nemotron_h_moe": "nemotron-3-nano",
    "nemotron_h_omni": "nemotron-3-nano",
}
"""Renderer and parser by architecture."""

_STOPS = {"gemma4": ("<turn|>",)}


def set_stop(builder: ModelBuilder, description: Description) -> None:
    """The stop words of a well-known chat template in a file.

    The reference also adds a template layer, a Go template for the same format. Here the file's own
    is used: it is what the model's maker wrote.
    """
    known = detect(description.chat_template) if description.chat_template else None
    if known is not None:
        builder.set_stop(known.stop)


def set_defaults(builder: ModelBuilder) -> None:
    """Names of renderer and parser by architecture, unless both are given, and stop words."""
    if builder.config.renderer and builder.config.parser:
        return
    for architecture in builder.config.model_families:
        if architecture in _STYLES:
            builder.set_style(_STYLES[architecture])
        if architecture in _STOPS:
            builder.set_stop(_STOPS[architecture])
