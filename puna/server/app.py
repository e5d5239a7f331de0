"""The route table and the app that is made of it: access line, origin and host checks,
dispatch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from puna.config import FOREVER
from puna.metrics import API
from puna.server.access import ROUTE, AccessLog
from puna.server.bodies import ACCOUNT, Account, Bodies
from puna.server.checks import Guard, HostRules, OriginRules
from puna.server.drain import Drain
from puna.server.faults import CLOSING, KEY_WANTED, NATIVE, Fault, attempt, envelope_for
from puna.server.keys import Keys
from puna.server.patience import patient
from puna.server.routes import (
    audio,
    blobs,
    cloud,
    documents,
    embedding,
    health,
    inference,
    messages,
    models,
    openai,
    responses,
    texts,
    upkeep,
)
from puna.server.services import Kit, Services
from puna.server.streams import JSON
from puna.server.table import Elsewhere, Found, Missing, NotAllowed, Row, Table
from puna.server.traces import Tracer

__all__ = ["ROUTES", "make_app"]

ROUTES = (
    Row("GET HEAD", "/", health.root),
    Row("GET HEAD", "/v1", health.root),
    Row("GET HEAD", "/health", health.health),
    Row("GET HEAD", "/v1/health", health.health),
    Row("GET HEAD", "/api/version", health.version),
    Row("GET HEAD", "/version", health.version),
    Row("GET", "/api/status", health.status),
    Row("GET", "/openapi.json", documents.openapi),
    Row("GET", "/docs", documents.docs),
    Row("POST", "/api/generate", inference.generate),
    Row("POST", "/api/chat", inference.chat),
    Row("POST", "/api/embed", embedding.embed),
    Row("POST", "/api/embeddings", embedding.embeddings),
    Row("POST", "/v1/rerank", texts.rerank),
    Row("POST", "/v2/rerank", texts.rerank),
    Row("POST", "/v1/reranking", texts.rerank),
    Row("POST", "/rerank", texts.rerank),
    Row("POST", "/reranking", texts.rerank),
    Row("POST", "/api/rerank", texts.rerank),
    Row("POST", "/api/tokenize", texts.tokenize),
    Row("POST", "/api/detokenize", texts.detokenize),
    Row("GET HEAD", "/api/tags", models.tags),
    Row("GET", "/api/ps", models.ps),
    Row("GET", "/api/queue", models.queue),
    Row("GET", "/metrics", health.metrics),
    Row("POST", "/api/show", models.show),
    Row("POST", "/api/copy", models.copy),
    Row("DELETE", "/api/delete", models.delete),
    Row("POST", "/api/create", models.create),
    Row("GET", "/api/puna/store", upkeep.store),
    Row("POST", "/api/puna/prune", upkeep.prune),
    Row("POST", "/api/puna/verify", upkeep.verify),
    Row("POST", "/api/puna/update", upkeep.update),
    Row("POST", "/api/pull", models.pull),
    Row("POST", "/api/push", models.push),
    Row("HEAD", "/api/blobs/{digest}", blobs.has),
    Row("POST", "/api/blobs/{digest}", blobs.upload),
    Row("POST", "/api/me", cloud.me),
    Row("POST", "/api/signout", cloud.sign_out),
    Row("DELETE", "/api/user/keys/{key}", cloud.sign_out),
    Row("POST", "/api/experimental/web_search", cloud.web_search),
    Row("POST", "/api/experimental/web_fetch", cloud.web_fetch),
    Row("GET", "/api/experimental/model-recommendations", cloud.recommendations),
    Row("POST", "/v1/messages", messages.create),
    Row("POST", "/v1/messages/count_tokens", messages.count_tokens),
    Row("POST", "/v1/chat/completions", openai.chat),
    Row("POST", "/v1/completions", openai.completions),
    Row("POST", "/v1/embeddings", openai.embeddings),
    Row("POST", "/v1/responses", responses.create),
    Row("POST", "/v1/responses/input_tokens", responses.input_tokens),
    Row("GET", "/v1/responses/{id}", responses.retrieve),
    Row("DELETE", "/v1/responses/{id}", responses.delete),
    Row("POST", "/v1/responses/{id}/cancel", responses.cancel),
    Row("GET", "/v1/responses/{id}/input_items", responses.input_items),
    Row("POST", "/v1/audio/transcriptions", audio.transcriptions),
    Row("POST", "/v1/audio/translations", audio.translations),
    Row("POST", "/v1/audio/speech", audio.speech),
    Row("GET", "/v1/models", openai.models),
    Row("GET", "/v1/models/{model:path}", openai.model),
    Row("DELETE", "/v1/models/{model:path}", openai.delete_model),
)

_PLAIN = {"content-type": "text/plain"}


def make_app(
    services: Services,
    origins: OriginRules,
    hosts: HostRules,
    closing: asyncio.Event,
    now: Callable[[], int] = time.time_ns,
    read_timeout: float = FOREVER,
    bodies: Bodies | None = None,
    drain: Drain | None = None,
    keys: Keys | None = None,
    tracer: Tracer | None = None,
) -> ASGIApp:
    """Make the server's app. Set `closing` to end every running answer; `read_timeout` is how many
    seconds a client may send nothing of its body, `bodies` what all of them may take; `drain`
    counts the answers under way; `keys` are those of which one is wanted; `tracer` traces requests.
    """
    kit = Kit(services, closing, now)
    dispatch = _Dispatch(
        Table(ROUTES), kit, read_timeout, bodies or Bodies(), drain or Drain(), keys or Keys(())
    )
    return AccessLog(Guard(dispatch, origins, hosts), services.metrics.request, tracer=tracer)


class _Dispatch:
    def __init__(
        self,
        table: Table,
        kit: Kit,
        read_timeout: float,
        bodies: Bodies,
        drain: Drain,
        keys: Keys,
    ) -> None:
        self._table = table
        self._kit = kit
        self._read_timeout = read_timeout
        self._bodies = bodies
        self._drain = drain
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        receive = patient(receive, self._read_timeout)
        if self._drain.begun:
            await _fault_reply(CLOSING, scope["path"])(scope, receive, send)
            return
        if not self._keys.admit(scope["path"], scope["headers"]):
            await _fault_reply(KEY_WANTED, scope["path"])(scope, receive, send)
            return
        account = scope[ACCOUNT] = Account(self._bodies)
        try:
            with self._drain.answer():
                response = await self._respond(Request(scope, receive))
                await response(scope, receive, send)
        finally:
            account.close()

    async def _respond(self, request: Request) -> ASGIApp:
        path: str = request.scope["path"]
        match self._table.find(request.method, path):
            case Found(endpoint, params, route):
                request.scope["path_params"] = params
                request.scope[ROUTE] = route
                API.set(envelope_for(path).api)
                outcome = await attempt(endpoint(request, self._kit))
                return _fault_reply(outcome, path) if isinstance(outcome, Fault) else outcome
            case Elsewhere(other):
                return _redirect(request, other)
            case NotAllowed(methods):
                allowed = {"allow": ", ".join(methods)}
                return _no_route(405, "405 method not allowed", path, allowed)
            case Missing():
                return _no_route(404, "404 page not found", path)


def _no_route(status: int, text: str, path: str, headers: dict[str, str] | None = None) -> Response:
    """Plain text, as the reference has it; other APIs' clients read their own envelope."""
    envelope = envelope_for(path)
    if envelope is NATIVE:
        return Response(text, status, _PLAIN | (headers or {}))
    return Response(
        envelope.body(Fault(status, text)),
        status,
        {"content-type": JSON.decode()} | (headers or {}),
    )


def _redirect(request: Request, path: str) -> Response:
    query = request.scope.get("query_string", b"").decode("latin-1")
    location = quote(path) + (f"?{query}" if query else "")
    return Response(
        status_code=301 if request.method == "GET" else 307, headers={"location": location}
    )


def _fault_reply(fault: Fault, path: str) -> Response:
    envelope = envelope_for(path)
    headers = {"content-type": JSON.decode()}
    if fault.retry_after:
        headers["retry-after"] = str(fault.retry_after)
    if fault is KEY_WANTED:
        headers["www-authenticate"] = "Bearer"
    if fault.status in {408, 413} or fault is CLOSING:
        headers["connection"] = "close"  # the rest of the body is not worth reading
    return Response(envelope.body(fault), fault.status, headers)
