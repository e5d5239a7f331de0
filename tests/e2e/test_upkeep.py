"""`puna prune` and `puna verify` against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.server import digest_of

pytestmark = pytest.mark.e2e


def test_a_damaged_model_is_named_and_repaired(start: Start, tiny_gguf: Path) -> None:
    server = start()
    server.create("tiny", tiny_gguf)
    server.create("pirate", tiny_gguf, system="You are a pirate.")
    digest = digest_of(tiny_gguf.read_bytes())
    fine = puna("verify", env=server.env)
    assert (fine.returncode, sorted(fine.stdout.splitlines())) == (
        0,
        ["pirate:latest is undamaged", "tiny:latest is undamaged"],
    )
    blob = server.store / "blobs" / digest.replace(":", "-")
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    bad = puna("verify", "tiny", env=server.env)
    assert (bad.returncode, bad.stdout.splitlines()) == (
        1,
        [
            "tiny:latest is damaged",
            f"  {digest}: its content is not what was stored",
            "  to repair: `puna verify --remove-damaged tiny:latest`, then "
            "`puna pull tiny:latest`, or create it again from its files",
        ],
    )
    assert puna("verify", "--remove-damaged", "tiny", env=server.env).returncode == 1
    assert not blob.exists()
    server.create("tiny", tiny_gguf)
    assert puna("verify", env=server.env).returncode == 0
    missing = puna("verify", "nope", env=server.env)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "model 'nope' not found" in missing.stderr

    whole = server.post("/api/puna/verify", models=["tiny"], stream=False).json
    assert whole == {
        "models": [{"status": "verified", "model": "tiny:latest", "faults": [], "removed": False}]
    }


def test_pruning_by_command(start: Start, tiny_gguf: Path) -> None:
    server = start()
    server.create("tiny", tiny_gguf)
    server.upload(b"young orphan")
    before = server.files()
    for flags in ([], ["--dry-run"], ["--older-than", "7d"]):
        done = puna("prune", *flags, env=server.env)
        assert (done.returncode, done.stdout) == (0, "nothing to delete\n"), done.stderr
    assert server.files() == before
    for wrong in ("soon", "-1h", "1"):
        done = puna("prune", f"--older-than={wrong}", env=server.env)
        assert (done.returncode, done.stderr.startswith("Error: --older-than: ")) == (1, True)
    (server.store / "manifests/registry.ollama.ai/library/tiny/latest").write_bytes(b"")
    done = puna("prune", env=server.env)
    assert (done.returncode, "`puna verify` names them" in done.stderr) == (1, True)
    done = puna("verify", env=server.env)
    assert "  to repair: `puna rm tiny:latest`, then `puna pull" in done.stdout


def test_where_the_store_is(start: Start) -> None:
    server = start()
    about = server.store.stat()
    assert server.get("/api/puna/store").json == {
        "models": str(server.store),
        "device": about.st_dev,
        "inode": about.st_ino,
    }


@pytest.mark.parametrize(("setting", "stays"), [("", False), ("1", True)])
def test_a_start_repairs_names_and_prunes_unless_told_not_to(
    start: Start, tmp_path: Path, setting: str, stays: bool
) -> None:
    store = tmp_path / "models"
    leftover = store / "manifests/registry.ollama.ai/library/.puna-1"
    old_name = store / "blobs" / f"sha256:{'ab' * 32}"
    for path in (leftover, old_name):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    start(OLLAMA_MODELS=str(store), OLLAMA_NOPRUNE=setting)
    assert leftover.exists() == stays
    assert [path.name for path in old_name.parent.iterdir()] == [f"sha256-{'ab' * 32}"]
