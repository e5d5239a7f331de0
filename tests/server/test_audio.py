"""/v1/audio: refused, but read first, and not without end."""

from __future__ import annotations

import pytest

from puna.server.routes.audio import UPLOAD_LIMIT
from tests.server.scripted import client, run

PATHS = ["/v1/audio/transcriptions", "/v1/audio/translations", "/v1/audio/speech"]
FORM = {"content-type": "multipart/form-data; boundary=x"}
BODY = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x--\r\n'


FORMAT = b'--x\r\nContent-Disposition: form-data; name="response_format"\r\n\r\nsrt\r\n'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [BODY, FORMAT + BODY], ids=["plain", "AU-1"])
def test_audio_is_not_supported_yet(path: str, body: bytes) -> None:
    reply = run(client().request("POST", path, body, headers=FORM))
    error = reply.json["error"]
    assert (reply.status, error["type"], error["code"]) == (501, "api_error", "not_implemented")
    assert "no audio models are supported yet" in error["message"]


def test_the_whole_form_is_read_first() -> None:
    async def scene() -> None:
        app = client()
        async with app.open("POST", PATHS[0], headers=FORM, chunks=[BODY] * 50) as call:
            await call.until_sent(1)
            assert call.chunks == []

    run(scene())


@pytest.mark.parametrize("declares", [True, False])
def test_a_form_that_is_too_large_is_not(declares: bool) -> None:
    """AU-2, where we differ: there is a limit, of 64 MiB."""
    chunks = [b"x" * (UPLOAD_LIMIT // 4)] * 5
    length = {"content-length": str(5 * UPLOAD_LIMIT // 4)} if declares else {}
    reply = run(client().request("POST", PATHS[0], headers=FORM | length, chunks=chunks))
    assert reply.status == 413
    assert reply.header("connection") == "close"


def test_audio_in_a_chat_is_refused() -> None:
    """AU-3"""
    part = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    reply = run(client().request("POST", "/v1/chat/completions", body))
    error = reply.json["error"]
    assert (reply.status, error["code"]) == (400, "unsupported_value")
    assert error["param"] == "messages.0.content"
