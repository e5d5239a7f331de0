"""Starting a server: the parts around it. The start itself is tested end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.client.start import NO_SERVER, connect, rotate, tail
from puna.config import Settings, parse_host
from puna.errors import Unreachable
from tests.fakes.http_server import ScriptedServer


def test_a_server_that_answers_is_taken(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        settings = Settings(host=parse_host(server.url), home=tmp_path / "home")
        connect(settings).close()
    assert not settings.home.exists()


def test_none_is_started_if_that_is_not_wanted(tmp_path: Path) -> None:
    settings = Settings(host=parse_host("127.0.0.1:1"), home=tmp_path, no_start=True)
    with pytest.raises(Unreachable) as caught:
        connect(settings)
    assert str(caught.value) == NO_SERVER


def test_five_old_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    for number in range(8):
        log.write_text(str(number))
        rotate(log)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "server-1.log": "7",
        "server-2.log": "6",
        "server-3.log": "5",
        "server-4.log": "4",
        "server-5.log": "3",
    }


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("".join(f"line {number}\n" for number in range(5000)))
    assert tail(log).splitlines() == [f"line {number}" for number in range(4990, 5000)]
    assert tail(tmp_path / "none") == ""
