"""What is told of a route: its purpose, what it takes, and each answer that it may give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import Struct

from puna.server.streams import EVENT_STREAM, NDJSON

__all__ = [
    "BODY",
    "JSON_TYPE",
    "MODEL",
    "REASONS",
    "RUNS",
    "SSE",
    "Answer",
    "Content",
    "Key",
    "Operation",
    "Schema",
    "answers",
    "streamed",
    "with_heads",
]

Key = tuple[str, str]
"""Method and path, as the route table has them: `("POST", "/api/blobs/{digest}")`."""
Schema = dict[str, Any]
Kind = type[Struct] | Schema
"""A wire struct, or a schema written out."""

JSON_TYPE = "application/json"
SSE = EVENT_STREAM.decode()

REASONS = {
    400: "The request cannot be understood, or this model cannot do it",
    401: "No API key, where the server wants one; of routes for accounts: nobody is signed in",
    403: "Refused: a foreign origin or host (no body), or a model that is only read",
    404: "No such model or blob, here or in its registry",
    408: "The body came too slowly",
    413: "The body is too large, or becomes too large when it is decompressed",
    415: "The body is compressed in a way that is not known",
    500: "A failure of the engine, the store or a registry",
    501: "Nothing here can do it yet",
    503: "Too many requests wait, or the server is shutting down",
}
"""What each error means."""

BODY = (400, 408, 413, 415)
"""The errors of every route that reads a body."""
MODEL = (*BODY, 404, 500)
"""And of those that look a model up."""
RUNS = (*MODEL, 503)
"""And of those that wait for it to be loaded."""


@dataclass(frozen=True, slots=True)
class Content:
    """An answer's body. Of a stream, `kinds` are what its lines or events hold."""

    media: str
    kinds: tuple[Kind, ...]
    is_stream: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no error."""

    text: str
    contents: tuple[Content, ...] = ()
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    `needs` are the fields of the body that must be there, `example` a body that the server can
    answer, `media` the type of a body that is not JSON, `form` the fields of one that is a form,
    `headers` those that change the answer.
    """

    summary: str
    text: str = ""
    body: type[Struct] | None = None
    needs: tuple[str, ...] = ()
    example: Schema | None = None
    media: str = ""
    form: Schema | None = None
    answers: tuple[Answer, ...]
    errors: tuple[int, ...] = (500,)
    headers: dict[str, str] = field(default_factory=dict)


def with_heads(operations: dict[Key, Operation], *paths: str) -> dict[Key, Operation]:
    """Add HEAD to paths that have GET: the same answer without a body."""
    heads = {
        ("HEAD", path): replace(
            operations["GET", path],
            answers=tuple(Answer(each.text) for each in operations["GET", path].answers),
        )
        for path in paths
    }
    return operations | heads


def answers(text: str, *kinds: Kind, media: str = JSON_TYPE) -> Answer:
    """An answer of one body, which has one of these types."""
    return Answer(text, (Content(media, kinds),) if kinds else ())


def streamed(
    text: str, whole: Sequence[Kind], *pieces: Kind, media: str = NDJSON.decode()
) -> Answer:
    """An answer in pieces, or whole where no stream is wanted."""
    return Answer(text, (Content(JSON_TYPE, tuple(whole)), Content(media, pieces, is_stream=True)))
