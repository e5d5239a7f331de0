"""The client against a real server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.client.client import Client
from puna.client.replies import parse_moment
from puna.client.transport import LINE_LIMIT, is_this_machine, split_lines
from puna.client.web import Web
from puna.config import parse_host
from puna.errors import ClientError, KeyWanted, Unreachable
from tests.fakes.http_server import Reply, ScriptedServer

HOSTS = {
    "loopback": ("127.0.0.1", True),
    "another loopback": ("127.8.0.1:99", True),
    "every interface": ("0.0.0.0:80", True),
    "only a port": (":1234", True),
    "name": ("http://LocalHost", True),
    "version 6": ("[::1]:80", True),
    "every interface in version 6": ("[::]", True),
    "neighbour": ("192.168.0.2", False),
    "elsewhere": ("https://example.com", False),
}

PLAIN_ERRORS = {
    "json": (Reply({"error": "boom"}, 500), "boom"),
    "text": (Reply(b"nope\n", 502), "nope"),
    "nothing": (
        Reply(b"", 500),
        "something went wrong, please see the puna server logs for details",
    ),
}

STREAM_ERRORS = {
    "json": (Reply({"error": "boom"}, 500), "500 Internal Server Error: boom"),
    "text": (Reply(b"nope", 502), "502 Bad Gateway: nope"),
    "nothing": (Reply(b"", 503), "503 Service Unavailable"),
    "who are you": (Reply({"error": "boom"}, 401), "401 Unauthorized"),
    "in the stream": (Reply(lines=[{"response": "a"}, {"error": "died"}]), "died"),
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        yield started


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(parse_host(server.url)) as made:
        yield made


@pytest.mark.parametrize(("text", "local"), HOSTS.values(), ids=HOSTS)
def test_this_machine_is_known(text: str, local: bool) -> None:
    assert is_this_machine(parse_host(text)) is local


def test_a_path_prefix_is_kept(server: ScriptedServer) -> None:
    server.script.replies["GET /ollama/api/version"] = Reply({"version": "1.2.3"})
    with Client(parse_host(f"{server.url}/ollama")) as client:
        assert client.version() == "1.2.3"
    headers = server.script.seen[0].headers
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("puna/0.1.0 (")


@pytest.mark.parametrize(("reply", "message"), PLAIN_ERRORS.values(), ids=PLAIN_ERRORS)
def test_errors_speak_for_themselves(
    reply: Reply, message: str, server: ScriptedServer, client: Client
) -> None:
    server.script.replies["GET /api/tags"] = reply
    with pytest.raises(ClientError) as caught:
        client.models()
    assert (str(caught.value), caught.value.status) == (message, reply.status)


@pytest.mark.parametrize(("reply", "message"), STREAM_ERRORS.values(), ids=STREAM_ERRORS)
def test_streams_name_their_status(
    reply: Reply, message: str, server: ScriptedServer, client: Client
) -> None:
    server.script.replies["POST /api/generate"] = reply
    with pytest.raises(ClientError) as caught:
        list(client.generate({"model": "m"}))
    assert str(caught.value) == message


def test_closing_a_stream_hangs_up(server: ScriptedServer, client: Client) -> None:
    server.script.replies["POST /api/chat"] = Reply(
        lines=[{"message": {"content": "a"}}], hold=True
    )
    pieces = client.chat({"model": "m"})
    assert next(pieces).content == "a"
    pieces.close()
    assert server.script.hung_up.wait(5)


def test_the_key_goes_to_the_server_and_not_where_it_redirects(server: ScriptedServer) -> None:
    with Client(parse_host(server.url), "k") as client, ScriptedServer() as other:
        server.script.replies["GET /api/tags"] = Reply({"models": []})
        client.models()
        server.script.replies["POST /api/chat"] = Reply(lines=[])
        list(client.chat({"model": "m"}))
        keys = [seen.headers.get("Authorization") for seen in server.script.seen]
        assert keys == ["Bearer k", "Bearer k"]
        away = Reply(b"", 307, location=f"{other.url}/api/tags")
        server.script.replies["GET /api/tags"] = away
        headers = {"Authorization": "Bearer k"}
        web = Web(parse_host(server.url), headers, 5.0, is_local=False)  # as of a server elsewhere
        web.request("GET", "/api/tags", None, {})
        web.close()
        assert server.script.seen[-1].headers["Authorization"] == "Bearer k"
        assert "authorization" not in {name.lower() for name in other.script.seen[-1].headers}


def test_a_key_that_is_wanted_is_told_of(server: ScriptedServer, client: Client) -> None:
    wanted = Reply({"error": str(KeyWanted())}, 401)
    server.script.replies = {"GET /api/tags": wanted, "POST /api/chat": wanted}
    for ask in (client.models, lambda: list(client.chat({"model": "m"}))):
        with pytest.raises(KeyWanted):
            ask()


def test_nobody_there() -> None:
    with Client(parse_host("127.0.0.1:1")) as client:
        assert not client.answers()
        with pytest.raises(Unreachable, match=r"127.0.0.1:1: connection refused"):
            client.models()


def test_odd_answers_give_empty_values(server: ScriptedServer, client: Client) -> None:
    server.script.replies |= {
        "GET /api/tags": Reply({"models": [{"name": 1, "size": "x"}, None]}),
        "GET /api/ps": Reply(b"[]"),
        "POST /api/show": Reply({"details": [], "capabilities": [1, "tools"], "tensors": {}}),
    }
    assert [row.name for row in client.models()] == ["", ""]
    assert client.show("m").capabilities == ("tools",)
    with pytest.raises(ClientError, match="not a JSON object"):
        client.loaded()


def test_blobs_are_looked_for_and_sent(server: ScriptedServer, client: Client) -> None:
    server.script.replies |= {
        "HEAD /api/blobs/sha256:aa": Reply(),
        "POST /api/blobs/sha256:bb": Reply(status=201),
    }
    assert client.has_blob("sha256:aa")
    assert not client.has_blob("sha256:bb")
    client.send_blob("sha256:bb", iter([b"12", b"345"]), 5)
    assert server.script.seen[-1].body == b"12345"


@given(st.lists(st.dictionaries(st.text(), st.text(), max_size=2), max_size=5), st.data())
def test_lines_are_found_however_they_arrive(values: list[object], data: st.DataObject) -> None:
    raw = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    chunks = []
    while raw:
        size = data.draw(st.integers(1, len(raw)))
        chunks.append(raw[:size])
        raw = raw[size:]
    assert [json.loads(line) for line in split_lines(chunks)] == values


def test_endless_lines_are_refused() -> None:
    piece = b"x" * 1_000_000
    assert len(next(split_lines([piece] * 8))) == LINE_LIMIT
    with pytest.raises(ClientError, match="more than 8000000 bytes"):
        list(split_lines([piece] * 9))


def test_moments_with_nanoseconds() -> None:
    moment = parse_moment("2026-01-02T03:04:05.123456789+02:00")
    assert moment is not None
    assert moment.microsecond == 123456
    assert parse_moment("0001-01-01T00:00:00Z") is None
    assert parse_moment("soon") is None
