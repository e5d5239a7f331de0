"""The commands of the manual for a registry of one's own, run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.support import ROOT, puna
from tests.e2e.conftest import Start
from tests.fakes.docker_registry import PASSWORD, USER, docker_registry

pytestmark = pytest.mark.e2e


def commands(address: str, user: str) -> list[str]:
    """The lines of the manual's example, for a registry that runs here."""
    manual = (ROOT / "docs" / "operations.md").read_text("utf-8")
    (block,) = re.findall(r"<!-- private registry -->\n```\n(.*?)```", manual, re.DOTALL)
    text = block.replace("registry.example:5000", address).replace("alice", user)
    return [line.replace("mymodel", "tiny") for line in text.splitlines()]


def test_the_manual(start: Start, tiny_gguf: Path, tmp_path: Path) -> None:
    server = start()
    server.create("tiny", tiny_gguf)
    with docker_registry(tmp_path / "registry", with_password=True) as registry:
        (tmp_path / "password").write_text(f"{PASSWORD}\n")
        ran = []
        for line in commands(registry.address, USER):
            program, *words = re.sub(r" *(#|<).*", "", line).split()
            ran.append(words[0])
            insecure = ["--insecure"] if words[0] in {"login", "push", "pull", "update"} else []
            stdin = f"{PASSWORD}\n".encode() if "--password-stdin" in words else b""
            done = puna(*words, *insecure, env=server.env, stdin=stdin)
            assert program == "puna"
            assert done.returncode == 0, (line, done.stderr)
        assert ran == ["login", "cp", "push", "rm", "pull", "update", "logout"]
        gone = puna("pull", f"{registry.address}/team/tiny", "--insecure", env=server.env)
        assert "unauthorized: access denied" in gone.stderr
        words = ["login", "--insecure", "-u", USER, "--password-stdin", "--json", registry.address]
        done = puna(*words, env=server.env, stdin=f"{PASSWORD}\n".encode())
        file = str(server.home / ".docker" / "config.json")
        assert json.loads(done.stdout) == {"host": registry.address, "user": USER, "file": file}


def test_a_wrong_password_is_not_kept(start: Start, tmp_path: Path) -> None:
    server = start()
    with docker_registry(tmp_path / "registry", with_password=True) as registry:
        words = ["login", "--insecure", "-u", USER, "--password-stdin", registry.address]
        done = puna(*words, env=server.env, stdin=b"wrong\n")
        assert (done.returncode, done.stdout) == (1, "")
        assert "unauthorized: access denied" in done.stderr
        assert not (server.home / ".docker").exists()


REFUSED = {
    "over http": ["login", "--insecure", "-u", "me", "--password-stdin", "registry.example"],
    "no name": ["login", "--password-stdin", "registry.example"],
    "no terminal": ["login", "registry.example"],
    "no host": ["login", "a b"],
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_before_anything_is_sent(start: Start, words: list[str]) -> None:
    done = puna(*words, env=start().env, stdin=b"secret\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
