"""The bodies of routes that the reference's cloud serves. Facts: API spec, section 20."""

from __future__ import annotations

from msgspec import Struct, field

__all__ = ["Recommendation", "Recommendations", "WebFetchRequest", "WebSearchRequest"]


class WebSearchRequest(Struct, kw_only=True):
    """POST /api/experimental/web_search."""

    query: str = ""
    max_results: int = 0


class WebFetchRequest(Struct, kw_only=True):
    """POST /api/experimental/web_fetch."""

    url: str = ""


class Recommendation(Struct, kw_only=True):
    """A model for those who have none."""

    model: str
    description: str


class Recommendations(Struct, kw_only=True):
    """What is recommended."""

    recommendations: list[Recommendation] = field(default_factory=list)
