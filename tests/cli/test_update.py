"""What `puna update` asks for and prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

LINES: list[dict[str, object]] = [
    {"status": "checking a:latest"},
    {"status": "updated", "model": "a:latest", "before": "1" * 64, "after": "2" * 64},
    {"status": "current", "model": "b:latest", "before": "1" * 64, "after": "1" * 64},
    {"status": "outdated", "model": "c:latest", "before": "1" * 64, "after": "2" * 64},
    {"status": "skipped", "model": "d:latest", "reason": "made on this machine"},
    {"status": "success"},
]
FAILED: dict[str, object] = {"status": "failed", "model": "e:latest", "reason": "403: no"}


def test_a_line_for_each_model(tmp_path: Path) -> None:
    with ScriptedServer({"POST /api/puna/update": Reply(lines=LINES)}) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        done = puna("update", "--all", "--dry-run", env=env)
        assert (done.returncode, done.stdout.splitlines()) == (
            0,
            [
                "a:latest was updated from 111111111111 to 222222222222",
                "b:latest is up to date",
                "c:latest would be updated from 111111111111 to 222222222222",
                "d:latest skipped: made on this machine",
            ],
        )
        asked = {"models": [], "dry_run": True, "insecure": False}
        assert server.requests("/api/puna/update") == [asked]


def test_a_failure_is_told_and_shown_by_the_exit_status(tmp_path: Path) -> None:
    lines = [*LINES[:-1], FAILED, LINES[-1]]
    with ScriptedServer({"POST /api/puna/update": Reply(lines=lines)}) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        done = puna("update", "a", "e", env=env)
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1] == "e:latest failed: 403: no"


@pytest.mark.parametrize("words", [[], ["--all", "m"]])
def test_either_names_or_all(tmp_path: Path, words: list[str]) -> None:
    done = puna("update", *words, env=environment(tmp_path))
    told = "Error: name the models to update, or use --all for every one\n"
    assert (done.returncode, done.stderr) == (1, told)
