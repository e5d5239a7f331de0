"""What a server tells about models for programs that are set up to use them: how long a context may
be, what a model can do, and which models are recommended. Parsed leniently, as in replies.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from puna.client.fields import Json, as_items, as_number, as_object, as_text

__all__ = ["ModelFacts", "Recommendation", "is_cloud_off", "parse_facts", "parse_recommendations"]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """An installed model, or one of which only the name is known. Lengths are in tokens, 0 where
    they are not known.
    """

    name: str
    remote: bool = False
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    max_output: int = 0
    families: tuple[str, ...] = ()
    format: str = ""

    def can(self, capability: str) -> bool:
        """Whether the model has the capability `vision`, `thinking`, `tools`, …"""
        return capability in self.capabilities

    def is_named(self, name: str) -> bool:
        """Whether a person may call it that: `:latest` may be left out."""
        return name in {self.name, self.name.removesuffix(":latest")}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model that the server recommends; `vram_bytes` is what it takes, 0 if that is not known."""

    model: str
    description: str
    context_length: int = 0
    max_output: int = 0
    vram_bytes: int = 0


def parse_facts(reply: Json) -> list[ModelFacts]:
    """Read the answer of `/api/tags`."""
    found = []
    for row in map(as_object, as_items(reply.get("models"))):
        details = as_object(row.get("details"))
        found.append(
            ModelFacts(
                name=as_text(row, "name"),
                remote=bool(as_text(row, "remote_model")),
                capabilities=_texts(row.get("capabilities")),
                context_length=as_number(details, "context_length"),
                families=(as_text(details, "family"), *_texts(details.get("families"))),
                format=as_text(details, "format"),
            )
        )
    return found


def parse_recommendations(reply: Json) -> list[Recommendation]:
    """Read the answer of `/api/experimental/model-recommendations`."""
    return [
        Recommendation(
            model=as_text(row, "model"),
            description=as_text(row, "description") or "Recommended model",
            context_length=as_number(row, "context_length"),
            max_output=as_number(row, "max_output_tokens"),
            vram_bytes=as_number(row, "vram_bytes"),
        )
        for row in map(as_object, as_items(reply.get("recommendations")))
        if as_text(row, "model")
    ]


def is_cloud_off(reply: Json) -> bool:
    """Read the answer of `/api/status`."""
    return as_object(reply.get("cloud")).get("disabled") is True


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in as_items(value) if isinstance(item, str))
