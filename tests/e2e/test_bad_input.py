"""Damaged, hostile and half-sent input: a clear error, and nothing half-made in the store."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from tests.e2e.server import Server, digest_of, until
from tests.fakes.ggufs import Tensor, pack_gguf

pytestmark = pytest.mark.e2e

LLAMA = {"general.architecture": "llama"}

FILES: dict[str, tuple[bytes, str]] = {
    "a tensor beyond the file": (
        pack_gguf(LLAMA, [Tensor("a", offset=1 << 20)]),
        "exceeds file size",
    ),
    "a tensor far beyond the file": (
        pack_gguf(LLAMA, [Tensor("a", shape=(1 << 40,), data=b"")]),
        "exceeds file size",
    ),
    "a size that overflows": (
        pack_gguf(LLAMA, [Tensor("a", shape=(1 << 62, 1 << 62), data=b"")]),
        "overflow",
    ),
    "five dimensions": (pack_gguf(LLAMA, [Tensor("a", shape=(1, 1, 1, 1, 1))]), "dimensions"),
    "more tensors than bytes": (pack_gguf(LLAMA, n_tensors=1 << 40), ""),
    "more keys than bytes": (pack_gguf(LLAMA, n_kv=1 << 60), ""),
    "an alignment of zero": (pack_gguf({**LLAMA, "general.alignment": 0}), "alignment"),
    "only the magic": (b"GGUF", ""),
    "zeros after the magic": (b"GGUF" + b"\0" * 100, ""),
}


def make(server: Server, data: bytes, file_name: str = "a.gguf", *, stream: bool) -> str:
    """The error of making a model of these bytes, which must fail and leave only the upload."""
    before, listed = server.files(), server.get("/api/tags").json
    digest = server.upload(data)
    blob = f"blobs/{digest.replace(':', '-')}"
    body = {"model": "bad", "files": {file_name: digest}, "system": "text", "stream": stream}
    answer = server.request("POST", "/api/create", body)
    if answer.status == 200:
        assert stream
        assert list(answer.lines[-1]) == ["error"]
        assert "success" not in [line.get("status") for line in answer.lines]
    else:
        assert answer.status == 400, answer.body
    assert server.files() == before | {blob}
    assert server.get("/api/tags").json == listed
    assert server.post("/api/show", model="bad").status == 404
    return str(answer.lines[-1]["error"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("data", "part"), FILES.values(), ids=FILES)
def test_damaged_files(server: Server, data: bytes, part: str, stream: bool) -> None:
    error = make(server, data, stream=stream)
    assert error
    assert part in error


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.9, 0.9999])
def test_truncated_files(server: Server, tiny_gguf: Path, share: float) -> None:
    whole = tiny_gguf.read_bytes()
    assert make(server, whole[: int(len(whole) * share)], stream=False)


def test_files_of_another_kind(server: Server) -> None:
    assert make(server, b"", stream=False) == "supplied file was not in GGUF format"
    assert make(server, b"text", stream=False) == "supplied file was not in GGUF format"
    assert make(server, b"text", "a.txt", stream=False) == "unknown type"


def test_a_parent_that_is_not_there(server: Server) -> None:
    before = server.files()
    for stream in (False, True):
        nowhere = "127.0.0.1:1/library/nope"  # a port on which nobody listens
        body = {"model": "bad", "from": nowhere, "system": "text", "stream": stream}
        answer = server.request("POST", "/api/create", body)
        assert answer.lines[-1]["error"].startswith("pull model manifest: https://127.0.0.1:1/")
    assert server.files() == before


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_an_upload_that_breaks_off(server: Server, chunked: bool) -> None:
    before = server.files()
    data = b"x" * 6_000_000
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest("POST", f"/api/blobs/{digest_of(data)}")
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            connection.send(b"%x\r\n" % 5_000_000 + data[:5_000_000] + b"\r\n")
        else:
            connection.putheader("Content-Length", str(len(data)))
            connection.endheaders()
            connection.send(data[:5_000_000])
        until(lambda: server.files() != before, "the upload has begun")
    finally:
        connection.close()
    until(lambda: server.files() == before, "nothing of it is left")


def test_an_upload_of_wrong_bytes(server: Server) -> None:
    before = server.files()
    data = b"y" * 5_000_000
    answer = server.request("POST", f"/api/blobs/{digest_of(data)}", data[:-1] + b"z")
    assert answer.status == 400
    assert answer.error.startswith(f'digest mismatch, expected "{digest_of(data)}", got "sha256:')
    assert server.files() == before


def test_a_model_that_the_engine_refuses(server: Server, tmp_path: Path) -> None:
    """Its header is sound, but it has no weights to speak of."""
    path = tmp_path / "hollow.gguf"
    path.write_bytes(pack_gguf({**LLAMA, "llama.block_count": 1}, [Tensor("token_embd.weight")]))
    server.create("hollow", path)
    for path_, stream in (("/api/generate", True), ("/api/generate", False), ("/api/chat", True)):
        messages = [{"role": "user", "content": "hi"}]
        answer = server.post(path_, model="hollow", prompt="hi", messages=messages, stream=stream)
        assert answer.status == 500
        assert answer.error
    assert "hollow:latest" not in server.loaded()
    assert server.generate("tiny", "the dog", options={"num_predict": 3})
    assert server.request("DELETE", "/api/delete", {"model": "hollow"}).status == 200


def test_garbage_on_the_wire(server: Server) -> None:
    for raw in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        try:
            connection.connect()
            connection.sock.sendall(raw)
            assert b" 400 " in connection.sock.recv(100)
        finally:
            connection.close()
    assert server.get("/").status == 200
