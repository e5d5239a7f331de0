"""Which handler a method and a path belong to; pure. Starlette's own router adds HEAD to every GET
and redirects
otherwise than the reference (API spec, 1.2), so only its path patterns are used.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import ASGIApp

from puna.server.services import Kit

__all__ = ["Elsewhere", "Endpoint", "Found", "Missing", "NotAllowed", "Outcome", "Row", "Table"]

Endpoint = Callable[[Request, Kit], Awaitable[ASGIApp]]
"""A handler: it returns an ASGI response or raises."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the route table: `Row("GET HEAD", "/api/tags", models.tags)`."""

    methods: str
    path: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Found:
    """The handler, what stands in the path's places, and the path as the table has it."""

    endpoint: Endpoint
    params: dict[str, str]
    route: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The path with its trailing slash added or removed is registered for this method."""

    path: str


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The path is there, for other methods."""

    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """No such path."""


Outcome = Found | Elsewhere | NotAllowed | Missing


class Table:
    """The routes. Paths without places are found by one look-up."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._fixed: dict[str, dict[str, Endpoint]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Endpoint], str]] = []
        placed: dict[str, dict[str, Endpoint]] = {}
        for row in rows:
            kind = placed if "{" in row.path else self._fixed
            kind.setdefault(row.path, {}).update(dict.fromkeys(row.methods.split(), row.endpoint))
        for path, methods in placed.items():
            self._patterns.append((compile_path(path)[0], methods, path))

    def find(self, method: str, path: str) -> Outcome:
        """Look up a request. A redirect is offered only where this method would be served."""
        methods, params, route = self._at(path)
        if method in methods:
            return Found(methods[method], params, route)
        if not methods and path != "/":
            other = path[:-1] if path.endswith("/") else path + "/"
            if method in self._at(other)[0]:
                return Elsewhere(other)
        return NotAllowed(tuple(methods)) if methods else Missing()

    def _at(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str], str]:
        if path in self._fixed:
            return self._fixed[path], {}, path
        for pattern, methods, route in self._patterns:
            if match := pattern.fullmatch(path):
                return methods, match.groupdict(), route
        return {}, {}, ""
