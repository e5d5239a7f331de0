"""Routing, bodies, origins and hosts as the API spec lists them: section 23, Transport, cases 1 to
18."""

from __future__ import annotations

import pytest

from puna.api.requests import ChatRequest, GenerateRequest
from puna.config import Settings
from puna.errors import ModelNotFound
from tests.fakes.asgi import Call
from tests.server.scripted import client, run


def ask(method: str, path: str, body: object = None, **options: object) -> Call:
    headers = options.pop("headers", None)
    assert headers is None or isinstance(headers, dict)
    return run(client(**options).request(method, path, body, headers=headers))  # type: ignore[arg-type]


def test_the_root_says_that_the_server_runs() -> None:
    reply = ask("GET", "/")
    assert (reply.status, reply.body) == (200, b"Ollama is running")
    assert reply.header("content-type") == "text/plain; charset=utf-8"
    assert ask("HEAD", "/").status == 200


ROUTED = {
    "unknown path": ("GET", "/api/nope", 404, "404 page not found", None),
    "unknown path, odd method": ("PATCH", "/nope", 404, "404 page not found", None),
    "wrong method": ("GET", "/api/show", 405, "405 method not allowed", "POST"),
    "head where only get is": ("HEAD", "/api/ps", 405, "405 method not allowed", "GET"),
    "two methods": ("POST", "/api/tags", 405, "405 method not allowed", "GET, HEAD"),
    "a path with a place": ("GET", "/api/blobs/x", 405, "405 method not allowed", "HEAD, POST"),
    "no digest": ("POST", "/api/blobs/", 404, "404 page not found", None),
    "too deep": ("POST", "/api/blobs/a/b", 404, "404 page not found", None),
    "a slash too many for another method": (
        "GET",
        "/api/chat/",
        404,
        "404 page not found",
        None,
    ),
}


@pytest.mark.parametrize(("method", "path", "status", "text", "allow"), ROUTED.values(), ids=ROUTED)
def test_what_is_not_there(
    method: str, path: str, status: int, text: str, allow: str | None
) -> None:
    reply = ask(method, path)
    assert (reply.status, reply.body.decode(), reply.header("allow")) == (status, text, allow)
    assert reply.header("content-type") == "text/plain"


REDIRECTS = {
    "post": ("POST", "/api/chat/", 307, "/api/chat"),
    "get": ("GET", "/api/tags/", 301, "/api/tags"),
    "head": ("HEAD", "/api/tags/", 307, "/api/tags"),
    "with a query": ("GET", "/api/tags/?a=b&c", 301, "/api/tags?a=b&c"),
    "with a place": ("POST", "/api/blobs/sha256:a b/", 307, "/api/blobs/sha256%3Aa%20b"),
}


@pytest.mark.parametrize(
    ("method", "path", "status", "location"), REDIRECTS.values(), ids=REDIRECTS
)
def test_slashes_are_redirected(method: str, path: str, status: int, location: str) -> None:
    reply = ask(method, path)
    assert (reply.status, reply.header("location")) == (status, location)


JSON_ROUTES = ("chat", "generate", "show", "create", "copy", "delete")


@pytest.mark.parametrize("body", [b"", b" \r\n\t"], ids=["empty", "blank"])
@pytest.mark.parametrize("route", JSON_ROUTES)
def test_a_body_is_required(route: str, body: bytes) -> None:
    reply = ask("DELETE" if route == "delete" else "POST", f"/api/{route}", body)
    assert (reply.status, reply.json) == (400, {"error": "missing request body"})
    assert reply.header("content-type") == "application/json; charset=utf-8"


BODIES = {
    "cut short": ("chat", b"{", 400, "unexpected EOF"),
    "null for chat": ("chat", b"null", 400, "model is required"),
    "null for generate": ("generate", b"null", 404, "model '' not found"),
    "upper case key": ("chat", b'{"MODEL":"m"}', 404, "model 'm' not found"),
    "more after the value": ("chat", b'{"model":"m"} trailing', 404, "model 'm' not found"),
    "unknown model, as sent": ("generate", b'{"model":"Foo/X"}', 404, "model 'Foo/X' not found"),
}


@pytest.mark.parametrize(("route", "body", "status", "text"), BODIES.values(), ids=BODIES)
def test_bodies_are_read_kindly(route: str, body: bytes, status: int, text: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    reply = ask("POST", f"/api/{route}", body, headers=form)
    assert (reply.status, reply.json) == (status, {"error": text})


def test_a_wrong_type_is_refused() -> None:
    reply = ask("POST", "/api/chat", {"model": "m", "stream": "no"})
    assert reply.status == 400
    assert reply.json["error"]


def test_a_body_in_many_pieces_is_one_body() -> None:
    pieces = [b'{"mo', b"", b'del":', b'"m"}']
    reply = run(client().request("POST", "/api/chat", chunks=pieces))
    assert reply.json == {"error": "model 'm' not found"}


def test_a_declared_body_that_is_too_large_is_refused_unread() -> None:
    reply = ask("POST", "/api/chat", b"{}", headers={"content-length": str(2**40)})
    assert reply.status == 413
    assert reply.header("connection") == "close"
    assert reply.json["error"].startswith("request body too large")


MY_ORIGINS = Settings(origins=("http://10.0.0.1", "https://*.example.org"))
ALL_ORIGINS = Settings(origins=("*",))

ORIGINS = {
    "a stranger": ("http://evil.example", Settings(), False),
    "a local page": ("http://localhost:3000", Settings(), True),
    "a local page without a port": ("https://127.0.0.1", Settings(), True),
    "a name that only begins like ours": ("http://localhost.evil.example", Settings(), False),
    "a desktop app": ("tauri://whatever", Settings(), True),
    "an extension, not configured": ("chrome-extension://abc", Settings(), False),
    "null": ("null", Settings(), False),
    "null where everyone may": ("null", ALL_ORIGINS, True),
    "configured": ("http://10.0.0.1", MY_ORIGINS, True),
    "configured, but another port": ("http://10.0.0.1:80", MY_ORIGINS, False),
    "a wild card": ("https://a.b.example.org", MY_ORIGINS, True),
    "defaults stay": ("http://localhost", MY_ORIGINS, True),
}


@pytest.mark.parametrize(("origin", "settings", "allowed"), ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("path", ["/api/version", "/api/nope"])
def test_origins(path: str, origin: str, settings: Settings, allowed: bool) -> None:
    reply = ask("GET", path, settings=settings, headers={"origin": origin})
    if not allowed:
        assert (reply.status, reply.body) == (403, b"")
        return
    assert reply.status == (404 if path == "/api/nope" else 200)
    everyone = settings is ALL_ORIGINS
    assert reply.header("access-control-allow-origin") == ("*" if everyone else origin)
    assert reply.header("vary") == (None if everyone else "Origin")


def test_the_same_origin_is_no_cross_origin() -> None:
    headers = {"origin": "http://127.0.0.1:11434"}
    reply = ask("GET", "/api/version", headers=headers)
    assert reply.status == 200
    assert reply.header("access-control-allow-origin") is None


def test_a_preflight_is_answered() -> None:
    reply = ask("OPTIONS", "/api/nope", headers={"origin": "http://localhost"})
    assert (reply.status, reply.body) == (204, b"")
    found = dict(reply.headers)
    assert found["access-control-allow-origin"] == "http://localhost"
    assert found["access-control-max-age"] == "43200"
    assert found["access-control-allow-methods"] == "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
    assert found["access-control-allow-headers"].startswith("Authorization,Content-Type,User-Agent")
    assert ",X-Api-Key,Anthropic-Version," in found["access-control-allow-headers"]
    assert found["access-control-allow-headers"].endswith(
        "X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
        "X-Stainless-Runtime-Version,X-Stainless-Timeout"
    )
    assert [value for name, value in reply.headers if name == "vary"] == [
        "Origin",
        "Access-Control-Request-Method",
        "Access-Control-Request-Headers",
    ]


HOSTS = {
    "a stranger": ("evil.example", 403),
    "a stranger with our port": ("evil.example:11434", 403),
    "localhost": ("localhost:11434", 200),
    "any case": ("LocalHost", 200),
    "mDNS": ("foo.local", 200),
    "internal": ("foo.internal:80", 200),
    "below localhost": ("app.localhost", 200),
    "only ends alike": ("evillocalhost", 403),
    "this machine's name": ("Workbench:1", 200),
    "none": ("", 200),
    "private": ("192.168.1.5", 200),
    "not quite private": ("172.32.0.1", 403),
    "any address": ("0.0.0.0", 200),
    "loopback": ("127.8.8.8:1", 200),
    "public": ("8.8.8.8", 403),
    "loopback, six": ("[::1]:11434", 200),
    "bare loopback, six": ("::1", 200),
    "mapped": ("[::ffff:127.0.0.1]:1", 200),
    "unique local": ("[fd00::1]:1", 200),
    "public, six": ("[2001:4860:4860::8888]:1", 403),
    "nonsense": ("[x", 403),
}


@pytest.mark.parametrize(("host", "status"), HOSTS.values(), ids=HOSTS)
def test_hosts_on_a_loopback_listener(host: str, status: int) -> None:
    reply = ask("GET", "/api/version", host=host)
    assert reply.status == status
    assert status == 200 or reply.body == b""


@pytest.mark.parametrize("host", ["evil.example", "8.8.8.8", "localhost"])
def test_any_host_on_an_open_listener(host: str) -> None:
    assert ask("GET", "/api/version", host=host, loopback=False).status == 200
    assert ask("OPTIONS", "/api/tags", host=host, loopback=False).status == 405


def test_options_without_an_origin() -> None:
    assert ask("OPTIONS", "/api/tags", host="localhost").status == 204
    assert ask("OPTIONS", "/api/nope", host="localhost").status == 204
    assert ask("OPTIONS", "/api/tags", host="127.0.0.1:11434").status == 405


def test_the_origin_is_judged_before_the_host() -> None:
    reply = ask("GET", "/", host="evil.example", headers={"origin": "http://localhost"})
    assert reply.status == 403
    assert reply.header("access-control-allow-origin") == "http://localhost"


def test_fields_arrive_as_typed() -> None:
    seen: list[ChatRequest | GenerateRequest] = []

    def remember(order: ChatRequest) -> object:
        seen.append(order)
        raise ModelNotFound(order.model)

    run(client(chat=remember).request("POST", "/api/chat", {"Model": "m", "stream": False}))
    assert [(order.model, order.stream) for order in seen] == [("m", False)]
