"""OLLAMA_DEBUG_LOG_REQUESTS: bodies for models and scripts that send them again."""

from __future__ import annotations

import shlex
import stat
from datetime import UTC, datetime
from pathlib import Path

from puna.server.capture import Capture
from tests.fakes.asgi import Client
from tests.server.scripted import client, run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def kept(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_bodies_for_models_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    app = Client(Capture(client().app, tmp_path, lambda: NOON))
    secret = {"authorization": "Bearer secret", "content-type": "application/json"}
    run(app.request("POST", "/api/chat", b'{"model": "m"}', headers=secret))
    run(app.request("POST", "/api/show", b'{"model": "m"}'))
    run(app.request("GET", "/api/tags"))
    stem = "20260101T120000.000000-000001_api_chat"
    files = kept(tmp_path)
    assert set(files) == {f"{stem}_body.json", f"{stem}_request.sh"}
    assert files[f"{stem}_body.json"] == '{"model": "m"}'
    assert "secret" not in files[f"{stem}_request.sh"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_the_folder_is_new_and_private() -> None:
    capture = Capture(client().app)
    folder = capture._folder
    try:
        assert folder.name.startswith("ollama-request-logs-")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        folder.rmdir()


def test_a_folder_that_is_gone_fails_no_request(tmp_path: Path) -> None:
    app = Client(Capture(client().app, tmp_path / "gone"))
    assert run(app.request("POST", "/api/chat", b"{}")).status == 400


def test_nothing_of_a_client_stands_unquoted_in_the_script(tmp_path: Path) -> None:
    app = Client(Capture(client().app, tmp_path, lambda: NOON))
    hostile = "text/plain'; touch $(pwd)/oh; '"
    run(app.request("POST", "/v1/messages", b"{}", headers={"content-type": hostile}))
    (script,) = (text for name, text in kept(tmp_path).items() if name.endswith(".sh"))
    _, line = script.splitlines()
    words = shlex.split(line)
    assert words[:5] == ["curl", "-sS", "-X", "POST", "http://127.0.0.1:11434/v1/messages"]
    assert words[5:7] == ["-H", f"content-type: {hostile}"]
    assert words[7:] == [
        "--data-binary",
        "@$(dirname $0)/20260101T120000.000000-000001_v1_messages_body.json",
    ]
