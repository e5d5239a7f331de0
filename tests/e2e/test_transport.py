"""How the server speaks HTTP: routing, bodies, origins, hosts, and the framing of streams.

The numbers are those of the API spec's checklist, section 23.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

import pytest

from tests.e2e.server import SECONDS, Server, running_server

pytestmark = pytest.mark.e2e

JSON_ROUTES = {
    "generate": ("POST", "/api/generate"),
    "chat": ("POST", "/api/chat"),
    "show": ("POST", "/api/show"),
    "create": ("POST", "/api/create"),
    "copy": ("POST", "/api/copy"),
    "delete": ("DELETE", "/api/delete"),
    "embed": ("POST", "/api/embed"),
    "embeddings": ("POST", "/api/embeddings"),
    "pull": ("POST", "/api/pull"),
    "push": ("POST", "/api/push"),
}


def test_health(server: Server) -> None:
    """1, 77"""
    answer = server.get("/")
    assert (answer.status, answer.body) == (200, b"Ollama is running")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert server.request("HEAD", "/").status == 200
    assert server.request("HEAD", "/api/version").status == 200
    assert server.request("HEAD", "/api/tags").status == 200
    assert list(server.get("/api/version").json) == ["version", "puna"]
    assert "Server" not in answer.headers


def test_unknown_paths_and_methods(server: Server) -> None:
    """2, 3"""
    missing = server.get("/api/nope")
    assert (missing.status, missing.body) == (404, b"404 page not found")
    assert missing.headers.get_content_type() == "text/plain"
    wrong = server.get("/api/show")
    assert (wrong.status, wrong.body) == (405, b"405 method not allowed")
    assert wrong.headers["Allow"] == "POST"
    assert server.request("HEAD", "/api/ps").status == 405


def test_closing_slashes_are_redirected(server: Server) -> None:
    """4"""
    chat = server.request("POST", "/api/chat/", {"model": "tiny"})
    assert (chat.status, chat.headers["Location"]) == (307, "/api/chat")
    tags = server.get("/api/tags/")
    assert (tags.status, tags.headers["Location"]) == (301, "/api/tags")


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES.values(), ids=JSON_ROUTES)
@pytest.mark.parametrize("body", [None, b" \n\t"], ids=["empty", "blank"])
def test_a_body_is_needed(server: Server, method: str, path: str, body: bytes | None) -> None:
    """5"""
    answer = server.request(method, path, body)
    assert (answer.status, answer.error) == (400, "missing request body")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES.values(), ids=JSON_ROUTES)
def test_broken_json(server: Server, method: str, path: str) -> None:
    """6"""
    for body, expected in ((b"{", "unexpected EOF"), (b'{"model":', "unexpected EOF")):
        answer = server.request(method, path, body)
        assert (answer.status, answer.error) == (400, expected)
    for body in (b"nonsense", b'{"model" "x"}', b"[]", b'"x"', b"5", b"\xff\xfe", b"{" * 5000):
        answer = server.request(method, path, body)
        assert answer.status == 400
        assert answer.error


NULL_BODIES = {
    "generate": (404, "model '' not found"),
    "chat": (400, "model is required"),
    "show": (400, "model is required"),
    "create": (400, "invalid model name"),
    "copy": (400, 'source "" is invalid'),
    "delete": (400, "model is required"),
    "embed": (404, "model '' not found"),
    "embeddings": (400, "model is required"),
    "pull": (400, "invalid model name"),
    "push": (400, "model is required"),
}


@pytest.mark.parametrize("route", JSON_ROUTES)
@pytest.mark.parametrize("body", [b"null", b"{}", b'{"model":null,"unknown":1}'])
def test_a_body_that_says_nothing(server: Server, route: str, body: bytes) -> None:
    """6"""
    method, path = JSON_ROUTES[route]
    answer = server.request(method, path, body)
    assert (answer.status, answer.error) == NULL_BODIES[route]


ACCEPTED = {
    "7 upper case": b'{"MODEL":"tiny","Stream":false}',
    "7 the exact key first": b'{"model":"tiny","MODEL":"x"}',
    "8 more after the value": b'{"model":"tiny"} trailing',
    "last duplicate": b'{"model":"x","model":"tiny"}',
    "null fields": b'{"model":"tiny","options":null,"stream":null,"keep_alive":null}',
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_bodies_that_are_accepted(server: Server, body: bytes) -> None:
    answer = server.request("POST", "/api/generate", body)
    assert (answer.status, answer.json["done_reason"]) == (200, "load")


def test_the_content_type_does_not_matter(server: Server) -> None:
    """9"""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.request("POST", "/api/show", b'{"model":"tiny"}', form)
    assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/api/tags", "/api/nope", "/api/show"])
def test_foreign_origins_are_refused(server: Server, path: str) -> None:
    """11, 14"""
    for origin in ("http://evil.example", "null"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = server.request(method, path, None, {"Origin": origin})
            assert (answer.status, answer.body) == (403, b"")


def test_local_origins_are_allowed(server: Server) -> None:
    """12, 13"""
    answer = server.request("GET", "/api/tags", None, {"Origin": "http://localhost:3000"})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert answer.headers["Vary"] == "Origin"
    preflight = server.request("OPTIONS", "/api/chat", None, {"Origin": "http://localhost"})
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.headers["Access-Control-Max-Age"] == "43200"


def test_more_origins(tmp_path_factory: pytest.TempPathFactory) -> None:
    """14, 15"""
    home = tmp_path_factory.mktemp("home")
    with running_server(home / "one", OLLAMA_ORIGINS="http://10.0.0.1") as server:
        for origin, status in (
            ("http://10.0.0.1", 200),
            ("http://10.0.0.1:80", 403),
            ("http://10.0.0.2", 403),
            ("http://localhost", 200),
        ):
            answer = server.request("GET", "/", None, {"Origin": origin})
            assert (origin, answer.status) == (origin, status)
    with running_server(home / "all", OLLAMA_ORIGINS="*") as server:
        answer = server.request("GET", "/", None, {"Origin": "null"})
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "Vary" not in answer.headers


HOSTS = {
    "evil.example": 403,
    "evil.example:11434": 403,
    "foo.local": 200,
    "foo.internal": 200,
    "localhost": 200,
    "LOCALHOST:1234": 200,
    "a.localhost": 200,
    "192.168.1.5": 200,
    "0.0.0.0": 200,
    "8.8.8.8": 403,
    "[::1]:11434": 200,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items(), ids=HOSTS)
def test_the_host_header(server: Server, host: str, status: int) -> None:
    """16"""
    answer = server.request("GET", "/", None, {"Host": host})
    assert (answer.status, answer.body) == (status, b"Ollama is running" if status == 200 else b"")


def test_options_without_an_origin(server: Server) -> None:
    """18"""
    assert server.request("OPTIONS", "/api/tags", None, {"Host": "localhost"}).status == 204
    assert server.request("OPTIONS", "/api/tags", None, {"Host": "127.0.0.1:11434"}).status == 405


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
EVERYWHERE = [
    ("evil.example", {}, 200),
    ("evil.example", BROWSER, 403),
    ("evil.example:11434", {"Origin": "http://evil.example:11434"}, 403),
    ("evil.example", {"Referer": "http://evil.example/"}, 403),
    ("evil.example", {"Sec-Fetch-Mode": "cors"}, 403),
    ("gpu.corp.example", BROWSER, 200),
    ("ollama:11434", BROWSER, 200),
    ("foo.local", BROWSER, 200),
    ("localhost", BROWSER, 200),
    ("192.168.1.5:11434", BROWSER, 200),
    ("8.8.8.8", BROWSER, 200),
    ("[2001:db8::1]:11434", BROWSER, 200),
]


def test_hosts_on_a_listener_for_all(tmp_path_factory: pytest.TempPathFactory) -> None:
    """17: any for programs; a page whose name was rebound to this machine is refused."""
    home = tmp_path_factory.mktemp("home")
    names = {"PUNA_HOSTS": "gpu.corp.example"}
    with running_server(home, interface="0.0.0.0", **names) as server:
        for host, headers, status in EVERYWHERE:
            answer = server.request("GET", "/", None, {"Host": host, **headers})
            assert (host, headers, answer.status) == (host, headers, status)


def read_raw(server: Server, body: Mapping[str, object]) -> tuple[bytes, list[bytes]]:
    """The head of an answer and its chunks as they are on the wire."""
    raw = json.dumps(body).encode()
    request = b"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s"
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(request % (len(raw), raw))
        with connection.makefile("rb") as reader:
            head = b"".join(iter(reader.readline, b"\r\n"))
            chunks = []
            while size := int(reader.readline(), 16):
                chunks.append(reader.read(size))
                assert reader.read(2) == b"\r\n"
            assert reader.readline() == b"\r\n"
    return head, chunks


def test_the_framing_of_a_stream(server: Server) -> None:
    body = {"model": "tiny", "prompt": "once <&> upon", "options": {"num_predict": 8, "seed": 1}}
    head, chunks = read_raw(server, body)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-type: application/x-ndjson\r\n" in head.lower()
    assert b"\r\ntransfer-encoding: chunked\r\n" in head.lower()
    assert len(chunks) > 2, "one object is sent at a time"
    for chunk in chunks:
        assert chunk.endswith(b"}\n")
        assert chunk.count(b"\n") == 1
    objects = [json.loads(chunk) for chunk in chunks]
    assert [each["done"] for each in objects] == [False] * (len(chunks) - 1) + [True]
    compact = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in objects]
    assert [each.encode() + b"\n" for each in compact] == chunks


def test_a_whole_answer_is_one_body(server: Server) -> None:
    body = {"model": "tiny", "prompt": "a", "stream": False, "options": {"num_predict": 3}}
    answer = server.request("POST", "/api/generate", body)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert not answer.body.endswith(b"\n")


def test_an_early_error_of_a_stream_has_its_status(server: Server) -> None:
    """43"""
    answer = server.request("POST", "/api/generate", {"model": "nope", "prompt": "a"})
    assert (answer.status, answer.error) == (404, "model 'nope' not found")
    failed = {"model": "tiny", "prompt": "a", "options": {"temperature": "hot"}}
    answer = server.request("POST", "/api/generate", failed)
    assert (answer.status, answer.headers["Content-Type"]) == (
        400,
        "application/json; charset=utf-8",
    )
    assert answer.error == 'option "temperature" must be of type float32'


def test_one_connection_serves_many_requests(server: Server) -> None:
    with server.open("GET", "/api/tags") as (connection, reply):
        reply.read()
        for body in (b'{"model":"nope"}', b"{", b""):
            connection.request("POST", "/api/show", body)
            with connection.getresponse() as again:
                assert again.status in {400, 404}
                again.read()
        connection.request("GET", "/")
        with connection.getresponse() as again:
            assert again.read() == b"Ollama is running"
