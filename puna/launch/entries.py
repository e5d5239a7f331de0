"""How a model is described to programs of the Pi family, and to those that took it from them."""

from __future__ import annotations

from puna.client.facts import ModelFacts

__all__ = ["inputs_of", "limits_of", "model_entry"]


def model_entry(model: ModelFacts) -> dict[str, object]:
    """Its name, what it takes, and how long a context and an answer may be, where that is known."""
    return {"id": model.name, "name": model.name, "input": inputs_of(model), **limits_of(model)}


def inputs_of(model: ModelFacts) -> list[str]:
    """What a message may hold."""
    return ["text", "image"] if model.can("vision") else ["text"]


def limits_of(model: ModelFacts) -> dict[str, object]:
    """Lengths in tokens, as far as they are known."""
    found = {"contextWindow": model.context_length, "maxTokens": model.max_output}
    return {key: value for key, value in found.items() if value}
