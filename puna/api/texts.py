"""The bodies of requests about texts alone: how well they fit a query, and which tokens they are.

Facts: compatibility spec, section 9.4.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from puna.api.fields import KeepAlive
from puna.api.requests import Token

__all__ = ["DetokenizeRequest", "RerankRequest", "TextRequest", "TokenizeRequest"]


class TextRequest(Struct, kw_only=True):
    """What these requests have in common."""

    model: str = ""
    keep_alive: KeepAlive | None = None
    options: dict[str, Any] = field(default_factory=dict)


class RerankRequest(TextRequest, kw_only=True):
    """POST /v1/rerank. A document is a text, or an object with one in `text`."""

    query: str = ""
    documents: Any = None
    top_n: int | None = None
    return_documents: bool = False


class TokenizeRequest(TextRequest, kw_only=True):
    """POST /api/tokenize."""

    text: str = ""


class DetokenizeRequest(TextRequest, kw_only=True):
    """POST /api/detokenize."""

    tokens: list[Token] = field(default_factory=list)
