"""The small routes: what they hand to the service and what they answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from puna import __version__
from puna.api.requests import CopyRequest, DeleteRequest
from puna.api.version import API_VERSION
from puna.errors import BlobNotFound, Cancelled, DigestMismatch, InvalidDigest
from puna.metrics import Metrics
from tests.server.scripted import client, run

DIGEST = "sha256:" + "0" * 64


def test_version_and_status() -> None:
    reply = run(client().request("GET", "/api/version"))
    assert reply.json == {"version": API_VERSION, "puna": __version__}
    status = run(client().request("GET", "/api/status"))
    assert status.json == {"cloud": {"disabled": True, "source": "env"}}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_other_servers_have_is_found_where_they_have_it(method: str) -> None:
    places = {"/health": b'{"status":"ok"}', "/v1/health": b'{"status":"ok"}'}
    places["/v1"] = b"Ollama is running"
    places["/version"] = run(client().request("GET", "/api/version")).body
    for path, body in places.items():
        reply = run(client().request(method, path))
        assert (reply.status, reply.body) == (200, body), path


def test_the_version_satisfies_clients_that_ask_for_a_minimum() -> None:
    assert tuple(map(int, API_VERSION.split("."))) >= (0, 6, 4)


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps"])
def test_lists_are_never_null(path: str) -> None:
    reply = run(client().request("GET", path))
    assert (reply.status, reply.body) == (200, b'{"models":[]}')
    assert reply.header("content-type") == "application/json; charset=utf-8"


def test_show_is_told_the_user_agent() -> None:
    headers = {"user-agent": "GitHubCopilotChat/1"}
    reply = run(client().request("POST", "/api/show", {"name": "m"}, headers=headers))
    assert reply.json["user_agent"] == "GitHubCopilotChat/1"


def test_copy_and_delete_answer_with_nothing() -> None:
    seen: list[object] = []

    async def remember(order: object) -> None:
        seen.append(order)

    app = client(copy=remember, delete=remember)
    copied = run(app.request("POST", "/api/copy", {"source": "a", "destination": "b"}))
    deleted = run(app.request("DELETE", "/api/delete", {"name": "a"}))
    assert [(r.status, r.body) for r in (copied, deleted)] == [(200, b"")] * 2
    assert seen == [CopyRequest(source="a", destination="b"), DeleteRequest(name="a")]


@pytest.mark.parametrize(("found", "status"), [(True, 200), (False, 404)])
def test_head_blob(found: bool, status: int) -> None:
    async def has(digest: str) -> bool:
        assert digest == DIGEST
        return found

    assert run(client(has_blob=has).request("HEAD", f"/api/blobs/{DIGEST}")).status == status


REFUSALS = {
    "no digest": (InvalidDigest("x"), 400, "invalid digest format"),
    "not here": (BlobNotFound(DIGEST), 404, f'blob "{DIGEST}" not found'),
    "other bytes": (
        DigestMismatch("sha256:a", "sha256:b"),
        400,
        'digest mismatch, expected "sha256:a", got "sha256:b"',
    ),
}


@pytest.mark.parametrize(("error", "status", "text"), REFUSALS.values(), ids=REFUSALS)
def test_refused_blobs(error: Exception, status: int, text: str) -> None:
    async def upload(digest: str, chunks: AsyncIterator[bytes]) -> bool:
        raise error

    reply = run(client(upload_blob=upload).request("POST", "/api/blobs/x", b"abc"))
    assert (reply.status, reply.json) == (status, {"error": text})


def test_an_upload_arrives_in_pieces() -> None:
    seen: list[bytes] = []

    async def upload(digest: str, chunks: AsyncIterator[bytes]) -> bool:
        seen.extend([chunk async for chunk in chunks])
        return True

    app = client(upload_blob=upload)
    reply = run(app.request("POST", f"/api/blobs/{DIGEST}", chunks=[b"ab", b"", b"c"]))
    assert (reply.status, reply.body) == (201, b"")
    assert seen == [b"ab", b"c"]


def test_an_upload_of_what_is_here_is_not_read() -> None:
    async def upload(digest: str, chunks: AsyncIterator[bytes]) -> bool:
        return False

    app = client(upload_blob=upload)
    assert run(app.request("POST", f"/api/blobs/{DIGEST}", b"abc")).status == 200


def test_an_upload_broken_off_is_told_to_the_service() -> None:
    ended: list[BaseException] = []

    async def upload(digest: str, chunks: AsyncIterator[bytes]) -> bool:
        try:
            async for _ in chunks:
                pass
        except Cancelled as error:
            ended.append(error)
            raise
        return True

    async def scene() -> None:
        app, path = client(upload_blob=upload), f"/api/blobs/{DIGEST}"
        async with app.open("POST", path, chunks=[b"a", b"b"], unfinished=True) as call:
            call.hang_up()

    run(scene())
    assert len(ended) == 1


def test_each_request_leaves_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run(client().request("GET", "/api/nope?token=secret"))
    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    logged = vars(record)["fields"]
    assert logged.pop("latency")
    assert logged == {
        "status": 404,
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/api/nope",
    }


def test_requests_are_counted_by_the_path_of_the_table() -> None:
    metrics = Metrics()
    app = client(metrics=metrics)
    run(app.request("GET", "/api/tags"))
    run(app.request("GET", "/v1/responses/some-id"))
    run(app.request("GET", "/made/up/by/a/client"))
    text = run(app.request("GET", "/metrics")).body.decode()
    counted = [line for line in text.splitlines() if line.startswith("puna_requests_total")]
    assert len(counted) == 3
    assert any('api="native",route="/api/tags",status="200"' in line for line in counted)
    assert any('api="openai",route="/v1/responses/{id}"' in line for line in counted)
    assert any('route="other",status="404"' in line for line in counted)
