"""`puna push`: what is asked of the server and what people see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

DIGEST = f"sha256:{'6a0746a1ec1a':0<64}"
STATUS = "pushing 6a0746a1ec1a"
LINES: list[dict[str, object]] = [
    {"status": "retrieving manifest"},
    {"status": STATUS, "digest": DIGEST, "total": 4_700_000_000, "completed": 10},
    {"status": STATUS, "digest": DIGEST, "total": 4_700_000_000, "completed": 4_700_000_000},
    {"status": "pushing manifest"},
    {"status": "success"},
]

PLACES = {
    "host:5000/me/m": "host:5000/me/m:latest",
    "me/m": "https://ollama.com/me/m",
    "me/m:v1": "https://ollama.com/me/m:v1",
}


@pytest.mark.parametrize(("model", "place"), PLACES.items(), ids=PLACES)
def test_where_the_model_is_now(tmp_path: Path, model: str, place: str) -> None:
    with ScriptedServer({"POST /api/push": Reply(lines=LINES)}) as server:
        done = puna("push", model, env=environment(tmp_path, OLLAMA_HOST=server.url))
        assert done.stdout == f"\nYou can find your model at:\n\n\t{place}\n"
        assert done.stderr.splitlines() == [
            "retrieving manifest",
            f"{STATUS} 4.7 GB",
            "pushing manifest",
            "success",
        ]
        asked = {"model": model, "name": model, "insecure": False}
        assert server.requests("/api/push") == [asked]


def test_an_insecure_registry(tmp_path: Path) -> None:
    with ScriptedServer({"POST /api/push": Reply(lines=LINES)}) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        assert puna("push", "--insecure", "h/n/m", env=env).returncode == 0
        assert server.requests("/api/push")[0]["insecure"] is True


def test_who_is_not_signed_in_is_told_where(tmp_path: Path) -> None:
    url = "https://ollama.com/connect?name=me"
    refused = Reply({"error": "unauthorized", "signin_url": url}, status=401)
    with ScriptedServer({"POST /api/me": refused}) as server:
        done = puna("push", "me/m", env=environment(tmp_path, OLLAMA_HOST=server.url))
        notice = f"You need to be signed in to push models to ollama.com.\n\n{url}\n"
        assert (done.returncode, done.stdout) == (0, notice)
        assert server.requests("/api/push") == []


def test_a_server_without_accounts_pushes_with_its_key(tmp_path: Path) -> None:
    replies = {
        "POST /api/me": Reply({"error": "unauthorized"}, status=401),
        "POST /api/push": Reply(lines=LINES),
    }
    with ScriptedServer({**replies}) as server:
        done = puna("push", "me/m", env=environment(tmp_path, OLLAMA_HOST=server.url))
        assert done.stdout == "\nYou can find your model at:\n\n\thttps://ollama.com/me/m\n"


ERRORS = {
    "unauthorized: access denied": (
        "you are not authorized to push to this namespace, create the model under a namespace you "
        "own"
    ),
    "403: no": "403: no",
}


@pytest.mark.parametrize(("said", "told"), ERRORS.items(), ids=ERRORS)
def test_errors(tmp_path: Path, said: str, told: str) -> None:
    with ScriptedServer({"POST /api/push": Reply(lines=[LINES[0], {"error": said}])}) as server:
        done = puna("push", "h/n/m", env=environment(tmp_path, OLLAMA_HOST=server.url))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"retrieving manifest\nError: {told}\n"
