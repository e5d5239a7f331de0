"""The OpenAPI document of all routes, made once when it is first asked for.

Facts: the OpenAPI Specification 3.1. It has no word for what a stream is made of, so that is in
`x-item-schema`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from puna import __version__
from puna.server.faults import ANTHROPIC, ENVELOPES, OPENAI, Envelope, envelope_for
from puna.server.keys import OPEN_PATHS
from puna.server.openapi.native import NATIVE
from puna.server.openapi.operation import (
    JSON_TYPE,
    REASONS,
    Answer,
    Content,
    Key,
    Operation,
    Schema,
)
from puna.server.openapi.own import OWN
from puna.server.openapi.schemas import Components
from puna.server.openapi.v1 import V1

__all__ = ["OPERATIONS", "document", "written"]

OPERATIONS: dict[Key, Operation] = NATIVE | OWN | V1
"""Every route there is: a test compares it with the route table."""

_TAGS = {
    "Native": "The API of Ollama's own clients",
    "OpenAI": "The API of OpenAI's clients",
    "Anthropic": "The API of Anthropic's clients",
    "Puna": "Routes that only Puna has",
}
_ABOUT = (
    "Puna answers on Ollama's native API and on those of OpenAI and Anthropic. Fields that are not "
    "named are ignored, `null` is the same as leaving a field out, keys may be in any case. API "
    "keys are checked where the server has some (PUNA_API_KEY); else they only tell one client "
    "from another. A request from a web page of a foreign origin, or under a name that is not this "
    "machine's, is refused with 403 and no body. Once a stream has begun, an error is its last "
    "piece."
)


_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}


@cache
def document() -> Schema:
    """The document as an object, not to be changed."""
    components = Components(set(_sent()), set(_told()))
    paths: dict[str, Schema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Puna",
            "version": __version__,
            "summary": "Large language models on your own machine",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{}, *({name: []} for name in _KEYS)],
        "paths": paths,
        "components": {"schemas": components.schemas, "securitySchemes": _KEYS},
    }


@cache
def written() -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document())


def _sent() -> Iterator[type[Struct]]:
    for operation in OPERATIONS.values():
        if operation.body:
            yield operation.body


def _told() -> Iterator[type[Struct]]:
    for _, envelope in ENVELOPES:
        yield envelope.kind
    for operation in OPERATIONS.values():
        for answer in operation.answers:
            for content in answer.contents:
                yield from (kind for kind in content.kinds if isinstance(kind, type))


def _operation(method: str, path: str, operation: Operation, components: Components) -> Schema:
    envelope = envelope_for(path)
    out: dict[str, Any] = {
        "operationId": _id(method, path),
        "tags": [_tag(path, envelope)],
        "summary": operation.summary,
    }
    if operation.text:
        out["description"] = operation.text
    errors = {403, *operation.errors}
    if path in OPEN_PATHS:
        out["security"] = []
    else:
        errors.add(401)
    if parameters := [*_places(path), *_headers(operation)]:
        out["parameters"] = parameters
    if operation.body or operation.media or operation.form:
        out["requestBody"] = {"required": True, "content": _body(operation, components)}
    replies = {
        str(answer.status): _answer(answer, envelope, components) for answer in operation.answers
    }
    for status in sorted(errors):
        replies[str(status)] = _error(status, envelope, components, has_body=method != "HEAD")
    return out | {"responses": replies}


def _id(method: str, path: str) -> str:
    words = path.replace("{", "").replace("}", "").replace(".", "/").split("/")
    return "_".join([method.lower(), *filter(None, words)])


def _tag(path: str, envelope: Envelope) -> str:
    if (("GET", path) in OWN) or (("POST", path) in OWN):
        return "Puna"
    return {id(OPENAI): "OpenAI", id(ANTHROPIC): "Anthropic"}.get(id(envelope), "Native")


def _places(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]


def _headers(operation: Operation) -> list[Schema]:
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in operation.headers.items()
    ]


def _body(operation: Operation, components: Components) -> Schema:
    if operation.form is not None:
        return {"multipart/form-data": {"schema": operation.form}}
    if operation.body is None:
        return {operation.media: {"schema": {"type": "string", "format": "binary"}}}
    schema = components.of([operation.body])
    if operation.needs:
        schema |= {"required": list(operation.needs)}
    told: Schema = {"schema": schema}
    if operation.example is not None:
        told["example"] = operation.example
    return {JSON_TYPE: told}


def _answer(answer: Answer, envelope: Envelope, components: Components) -> Schema:
    contents = {each.media: _content(each, envelope, components) for each in answer.contents}
    return {"description": answer.text} | ({"content": contents} if contents else {})


def _content(content: Content, envelope: Envelope, components: Components) -> Schema:
    if content.is_stream:
        items = components.of([*content.kinds, envelope.kind])
        return {"schema": {"type": "string"}, "x-item-schema": items}
    return {"schema": components.of(content.kinds)}


def _error(status: int, envelope: Envelope, components: Components, *, has_body: bool) -> Schema:
    told: Schema = {"description": REASONS[status]}
    if has_body:
        told["content"] = {JSON_TYPE: {"schema": components.of([envelope.kind])}}
    return told
