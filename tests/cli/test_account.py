"""`puna signin`, `signout`, and what asks for an account."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

URL = "https://ollama.com/connect?name=me"
NOTICE = (
    "You need to be signed in to Ollama to run Cloud models.\n\n"
    f"To sign in, navigate to:\n    {URL}\n\n"
)
SIGNED_OUT = Reply({"error": "unauthorized", "signin_url": URL}, status=401)
NO_ACCOUNTS = "This server has no accounts: its models run on its own machine and need none.\n"

CASES: dict[str, tuple[list[str], dict[str, Reply | list[Reply]], str]] = {
    "signed in": (
        ["signin"],
        {"POST /api/me": Reply({"name": "ann"})},
        "You are already signed in as user 'ann'\n\n",
    ),
    "not signed in": (["signin"], {"POST /api/me": SIGNED_OUT}, NOTICE),
    "login is signin": (["login"], {"POST /api/me": SIGNED_OUT}, NOTICE),
    "a server like ours": (
        ["signin"],
        {"POST /api/me": Reply({"error": "unauthorized"}, status=401)},
        NO_ACCOUNTS,
    ),
    "signing out": (
        ["signout"],
        {"POST /api/signout": Reply({})},
        "You have signed out of ollama.com\n\n",
    ),
    "signing out twice": (
        ["signout"],
        {"POST /api/signout": Reply({"error": "no"}, status=401)},
        "You are not signed in to ollama.com\n\n",
    ),
    "a model that needs an account": (
        ["run", "big:cloud", "hi"],
        {"POST /api/show": Reply({}), "POST /api/generate": SIGNED_OUT},
        NOTICE,
    ),
}


@pytest.mark.parametrize(("args", "replies", "told"), CASES.values(), ids=CASES)
def test_what_is_told(
    args: list[str], replies: dict[str, Reply | list[Reply]], told: str, tmp_path: Path
) -> None:
    with ScriptedServer(replies) as server:
        done = puna(*args, env=environment(tmp_path, OLLAMA_HOST=server.url))
        assert (done.returncode, done.stdout, done.stderr) == (0, told, "")


def test_runners_are_the_servers_own(tmp_path: Path) -> None:
    env = environment(tmp_path)
    done = puna("runner", "--model", "x", env=env)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: unknown runner engine, expected --mlx-engine\n",
    )
    assert "runner" not in puna("help", env=env).stdout
