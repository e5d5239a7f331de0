"""What `puna prune` and `puna verify` print."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.cli.prune import read_age
from puna.errors import BadRequest
from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

AGES = {"7d": 7 * 86_400.0, "1h30m": 5400.0, "0": 0.0, "1.5s": 1.5}


@pytest.mark.parametrize(("text", "seconds"), AGES.items(), ids=AGES)
def test_ages(text: str, seconds: float) -> None:
    assert read_age(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "-1s", "1", "1y", "9999999d"])
def test_ages_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="--older-than"):
        read_age(text)


@pytest.mark.parametrize(("flags", "verb"), [([], "deleted"), (["--dry-run"], "would delete")])
def test_pruned_files_are_listed(tmp_path: Path, flags: list[str], verb: str) -> None:
    files = [{"name": "sha256-1", "size": 2_000_000}, {"name": "sha256-2", "size": 0}]
    reply = Reply({"files": files, "held": 2})
    with ScriptedServer({"POST /api/puna/prune": reply}) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        done = puna("prune", "--older-than", "2h", *flags, env=env)
    assert done.stdout.splitlines() == [
        f"{verb} sha256-1 2 MB",
        f"{verb} sha256-2 0 B",
        f"{verb} 2 files, 2 MB",
        "in use and kept: 2",
    ]
    assert server.script.seen[-1].json == {"older_than": 7200.0, "dry_run": bool(flags)}
