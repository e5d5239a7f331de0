"""Requests about texts alone, how well they fit a query and which tokens they are; their answers.

Facts: compatibility spec, section 9.4.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from puna.api.fields import Deadline, KeepAlive
from puna.api.requests import Token

__all__ = [
    "DetokenizeRequest",
    "DetokenizeResponse",
    "RankedDocument",
    "RerankRequest",
    "RerankResponse",
    "RerankResult",
    "RerankUsage",
    "TextRequest",
    "TokenizeRequest",
    "TokenizeResponse",
]


class TextRequest(Struct, kw_only=True):
    """What these requests have in common."""

    model: str = ""
    keep_alive: KeepAlive | None = None
    options: dict[str, Any] = field(default_factory=dict)
    priority: str = ""
    client: str = field(default="", name="_client")
    deadline: Deadline | None = None


class RerankRequest(TextRequest, kw_only=True):
    """POST /v1/rerank. A document is a text, or an object with one in `text`."""

    query: str = ""
    documents: Any = None
    top_n: int | None = None
    return_documents: bool = False
    priority: str = ""
    client: str = field(default="", name="_client")


class TokenizeRequest(TextRequest, kw_only=True):
    """POST /api/tokenize."""

    text: str = ""


class DetokenizeRequest(TextRequest, kw_only=True):
    """POST /api/detokenize."""

    tokens: list[Token] = field(default_factory=list)


class RankedDocument(Struct, frozen=True):
    """A document that the answer brings along."""

    text: str


class RerankResult(Struct, frozen=True, kw_only=True):
    """A document by its place in the request, and how well it fits."""

    index: int
    relevance_score: float
    document: RankedDocument | UnsetType = UNSET


class RerankUsage(Struct, frozen=True):
    """What the documents took, in tokens."""

    prompt_tokens: int
    total_tokens: int


class RerankResponse(Struct, frozen=True, kw_only=True):
    """The documents, the best first."""

    id: str
    model: str
    object: str = "list"
    results: list[RerankResult]
    usage: RerankUsage


class TokenizeResponse(Struct, frozen=True):
    """The tokens of the text."""

    tokens: list[int]


class DetokenizeResponse(Struct, frozen=True):
    """The text of the tokens."""

    text: str
