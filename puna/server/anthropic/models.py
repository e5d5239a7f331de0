"""Models as the Anthropic API lists them, under the path that it shares with OpenAI's.

Facts: compatibility spec, section 9.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from starlette.requests import Request

__all__ = ["ModelInfo", "ModelPage", "model_page", "speaks_anthropic"]


class ModelInfo(Struct, kw_only=True, tag_field="type", tag="model"):
    """A model; `created_at` in the form of RFC 3339."""

    id: str
    display_name: str
    created_at: str
    lifecycle: str = "active"


class ModelPage(Struct, kw_only=True):
    """All models: there is one page."""

    data: Sequence[ModelInfo]
    has_more: bool = False
    first_id: str | None
    last_id: str | None


def speaks_anthropic(request: Request) -> bool:
    """Whether the client is one of Anthropic's: all of them send a version, and nobody else."""
    return "anthropic-version" in request.headers


def model_page(models: Sequence[ModelInfo]) -> ModelPage:
    """The list of these models."""
    ends = (models[0].id, models[-1].id) if models else (None, None)
    return ModelPage(data=models, first_id=ends[0], last_id=ends[1])
