"""The routes that the reference does not have, described: texts, the store, documents."""

from __future__ import annotations

from puna.api.events import Progress
from puna.api.responses import HealthResponse, QueueResponse, VersionResponse
from puna.api.texts import (
    DetokenizeRequest,
    DetokenizeResponse,
    RerankRequest,
    RerankResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from puna.api.upkeep import (
    PruneRequest,
    PruneResponse,
    StoreResponse,
    Updated,
    UpdateRequest,
    UpdateResponse,
    Verified,
    VerifyRequest,
    VerifyResponse,
)
from puna.server.openapi.operation import (
    BODY,
    RUNS,
    Answer,
    Content,
    Key,
    Operation,
    answers,
    streamed,
    with_heads,
)

__all__ = ["OWN"]

_RERANK = Operation(
    summary="Sort documents by how well they fit a query",
    text="In the form of Jina and Cohere. The model must be a reranker.",
    body=RerankRequest,
    needs=("model", "query", "documents"),
    answers=(answers("The documents, the best first", RerankResponse),),
    errors=RUNS,
)

_RERANK_PATHS = (
    "/v1/rerank",
    "/v2/rerank",
    "/v1/reranking",
    "/rerank",
    "/reranking",
    "/api/rerank",
)
"""Where the clients of Jina, Cohere and llama.cpp look for it."""

_HEALTH = Operation(
    summary="Whether the server takes requests",
    text="While it ends, it does not.",
    answers=(answers("It does", HealthResponse),),
    errors=(503,),
)

_OPERATIONS: dict[Key, Operation] = {
    **{("POST", path): _RERANK for path in _RERANK_PATHS},
    ("POST", "/api/tokenize"): Operation(
        summary="The tokens of a text",
        body=TokenizeRequest,
        needs=("model", "text"),
        example={"model": "cria", "text": "Hello!"},
        answers=(answers("The tokens", TokenizeResponse),),
        errors=RUNS,
    ),
    ("POST", "/api/detokenize"): Operation(
        summary="The text of tokens",
        body=DetokenizeRequest,
        needs=("model", "tokens"),
        example={"model": "cria", "tokens": [1, 2, 3]},
        answers=(answers("The text", DetokenizeResponse),),
        errors=RUNS,
    ),
    ("GET", "/api/queue"): Operation(
        summary="The requests that wait",
        answers=(answers("Who waits, the next first, and for what", QueueResponse),),
    ),
    ("GET", "/v1"): Operation(
        summary="Whether the server runs",
        answers=(Answer("It does", (Content("text/plain", ({"type": "string"},)),)),),
        errors=(),
    ),
    ("GET", "/health"): _HEALTH,
    ("GET", "/v1/health"): _HEALTH,
    ("GET", "/version"): Operation(
        summary="The versions of the API and of Puna",
        answers=(answers("The versions", VersionResponse),),
        errors=(),
    ),
    ("GET", "/metrics"): Operation(
        summary="What was counted, for Prometheus",
        answers=(
            answers("Counters, histograms and gauges", {"type": "string"}, media="text/plain"),
        ),
    ),
    ("GET", "/api/puna/store"): Operation(
        summary="Where the store is",
        answers=(answers("The folder", StoreResponse),),
    ),
    ("POST", "/api/puna/prune"): Operation(
        summary="Delete what no model needs",
        body=PruneRequest,
        example={"dry_run": True},
        answers=(answers("What was deleted, or would be", PruneResponse),),
        errors=(*BODY, 500),
    ),
    ("POST", "/api/puna/verify"): Operation(
        summary="Hash installed models and compare",
        body=VerifyRequest,
        example={"models": ["cria"]},
        answers=(streamed("What became of each model", [VerifyResponse], Verified, Progress),),
        errors=RUNS,
    ),
    ("POST", "/api/puna/update"): Operation(
        summary="Bring models up to date",
        body=UpdateRequest,
        example={"models": ["cria"], "dry_run": True},
        answers=(streamed("What became of each model", [UpdateResponse], Updated, Progress),),
        errors=RUNS,
    ),
    ("GET", "/openapi.json"): Operation(
        summary="This document",
        answers=(answers("The document", {"type": "object"}),),
        errors=(),
    ),
    ("GET", "/docs"): Operation(
        summary="This document, for people",
        answers=(Answer("The page", (Content("text/html", ({"type": "string"},)),)),),
        errors=(),
    ),
}
OWN = with_heads(_OPERATIONS, "/v1", "/health", "/v1/health", "/version")
"""What is told of each."""
