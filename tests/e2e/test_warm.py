"""A chat that was put aside: its model unloaded, or the server restarted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import CHAT_TEMPLATE, Start
from tests.e2e.server import Server, running_server
from tests.fakes.ggufs import make_tiny_llama

pytestmark = pytest.mark.e2e

LONG = "Tom saw a big red ball and the happy dog ran home . " * 12
SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def chat_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "chat.gguf"
    return make_tiny_llama(path, chat_template=CHAT_TEMPLATE)


class Chat:
    """The messages of a chat."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []

    def say(self, server: Server, text: str, **fields: object) -> tuple[int, int]:
        """Add a turn; returns how many tokens its prompt had, and how many of them were there."""
        self.messages.append({"role": "user", "content": text})
        options = {"temperature": 0, "num_predict": 8}
        answer = server.post(
            "/api/chat",
            model="chat",
            messages=self.messages,
            options=options,
            stream=False,
            **fields,
        )
        assert answer.status == 200, answer.body
        self.messages.append(answer.json["message"])
        figures = answer.json
        return figures["prompt_eval_count"], figures.get("prompt_eval_cached_count", 0)


def private_folders() -> set[Path]:
    return set(SHARED_MEMORY.glob("puna-*"))


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="needs shared memory with a name")
def test_after_an_unload(start: Start, chat_gguf: Path) -> None:
    server = start()
    server.create("chat", chat_gguf)
    chat = Chat()
    first, cached = chat.say(server, LONG, keep_alive=0)
    assert cached == 0
    server.wait_until_idle()
    _, cached = chat.say(server, "And the cat ?")
    assert cached >= first
    assert "ignoring" not in server.log


@pytest.mark.parametrize("variables", [{}, {"PUNA_KV_CACHE_RAM": "0"}], ids=["moved", "at once"])
def test_after_a_restart(tmp_path: Path, chat_gguf: Path, variables: dict[str, str]) -> None:
    chat = Chat()
    counts: list[tuple[int, int]] = []
    for text in (LONG, "And the cat ?"):
        home = tmp_path / "home"
        with running_server(home, PUNA_KV_CACHE_DIR=str(tmp_path / "kv"), **variables) as server:
            if not counts:
                server.create("chat", chat_gguf)
            counts.append(chat.say(server, text))
    (first, _), (_, cached) = counts
    assert cached >= first
    files = list((tmp_path / "kv").glob("*.kv"))
    assert files
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)


def test_nothing_is_left_without_a_folder(tmp_path: Path, chat_gguf: Path) -> None:
    before = private_folders()
    with running_server(tmp_path / "home") as server:
        server.create("chat", chat_gguf)
        Chat().say(server, LONG)
        (own,) = {path for path in private_folders() - before if is_owned_by(path, server)}
    assert not own.exists()


def is_owned_by(folder: Path, server: Server) -> bool:
    """Whether the server has the folder's mark open; others may run at the same time."""
    mark = str(folder / "server")
    return any(_target(link) == mark for link in Path(f"/proc/{server.pid}/fd").iterdir())


def _target(link: Path) -> str:
    """What a descriptor is open on, empty if it was closed meanwhile."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def test_off(start: Start, chat_gguf: Path) -> None:
    server = start(PUNA_KV_CACHE_RAM="0")
    server.create("chat", chat_gguf)
    chat = Chat()
    chat.say(server, LONG, keep_alive=0)
    server.wait_until_idle()
    _, cached = chat.say(server, "And the cat ?")
    assert cached == 0
