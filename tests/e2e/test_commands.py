"""The commands of `puna` against the real server."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.e2e.server import Server, end_processes, free_port, processes, until
from tests.service.world import tiny

pytestmark = pytest.mark.e2e


@pytest.fixture
def mine(server: Server, tmp_path: Path, tiny_gguf: Path) -> Iterator[str]:
    """A model made by `puna create` of a Modelfile beside its weights."""
    (tmp_path / "tiny.gguf").write_bytes(tiny_gguf.read_bytes())
    (tmp_path / "Modelfile").write_text(
        "FROM ./tiny.gguf\n"
        "PARAMETER temperature 0\n"
        "PARAMETER num_predict 5\n"
        'SYSTEM """Be\nkind."""\n'
        "MESSAGE user Hi\n"
        "MESSAGE assistant Yes?\n"
        "LICENSE Free.\n"
    )
    done = puna("create", "mine", env=server.env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "success" in done.stderr
    yield "mine"
    server.request("DELETE", "/api/delete", {"model": "mine"})


def ok(server: Server, *args: str, stdin: bytes = b"") -> str:
    """The output of a command that must succeed."""
    done = puna(*args, env=server.env, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_run_prints_the_vector_of_a_text(server: Server, bert: str) -> None:
    vector = json.loads(ok(server, "run", bert, "the cat"))
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert len(json.loads(ok(server, "run", bert, "the cat", "--dimensions", "4"))) == 4
    refused = puna("run", bert, "the cat " * 200, "--truncate=false", env=server.env)
    assert refused.returncode == 1
    assert "the input length exceeds the context length" in refused.stderr


MODELFILES = {
    "texts, messages and parameters": "",
    "a template": "TEMPLATE {{ .System }} {{ .Prompt }}\n",
    "a renderer and a parser": "RENDERER qwen3-coder\nPARSER qwen3-coder\nREQUIRES v0.12.0\n",
    "a draft model and an adapter": "DRAFT ./draft.gguf\nADAPTER ./adapter.gguf\n",
    "a projector": "FROM ./projector.gguf\n",
    "parameters that Go prints with an exponent": (
        'PARAMETER num_ctx 1048576\nPARAMETER temperature 0.00001\nPARAMETER stop " a "\n'
    ),
}


@pytest.mark.parametrize("more", MODELFILES.values(), ids=MODELFILES)
def test_the_generated_modelfile_makes_the_same_digests(
    server: Server, mine: str, tmp_path: Path, more: str
) -> None:
    (tmp_path / "draft.gguf").write_bytes(tiny(llama__block_count=1))
    (tmp_path / "adapter.gguf").write_bytes(tiny(general__type="adapter"))
    (tmp_path / "projector.gguf").write_bytes(tiny(general__type="projector"))
    (tmp_path / "Modelfile").write_text((tmp_path / "Modelfile").read_text() + more)
    ok(server, "create", "first", "-f", str(tmp_path / "Modelfile"))
    (tmp_path / "Again").write_text(ok(server, "show", "first", "--modelfile"))
    ok(server, "create", "again", "-f", str(tmp_path / "Again"))
    first, again = (stored_digests(server, name) for name in ("first", "again"))
    assert first == again
    ok(server, "rm", "first", "again")


def stored_digests(server: Server, name: str) -> list[tuple[str, str]]:
    """Media type and digest of a model's layers and of its config."""
    path = server.store / "manifests/registry.ollama.ai/library" / name / "latest"
    manifest = json.loads(path.read_bytes())
    return [
        (each["mediaType"], each["digest"]) for each in (*manifest["layers"], manifest["config"])
    ]


def test_run(server: Server, mine: str) -> None:
    said = ok(server, "run", mine, "the", "dog")
    assert said.endswith("\n\n")
    assert len(said.split()) >= 2
    assert said == ok(server, "run", mine, "dog", stdin=b"the").replace("  ", " ")
    assert ok(server, "run", mine, "") == ""
    assert ok(server, "run", mine) == "", "an empty standard input loads the model"
    done = puna("run", mine, "the dog", "--verbose", env=server.env)
    assert "eval count:           5 token(s)" in done.stderr


def test_ps_and_stop(server: Server, mine: str) -> None:
    ok(server, "stop", "tiny")  # it has the same weights: their runner has the name of its loader
    until(lambda: "tiny:latest" not in server.loaded(), "tiny is unloaded")
    assert ok(server, "run", mine, "the dog", "--keepalive", "10m")
    header, row = ok(server, "ps", "mine").splitlines()
    assert header.split() == ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
    assert row.split()[0] == "mine:latest"
    assert " minutes from now" in row
    assert ok(server, "stop", mine) == ""
    until(lambda: "mine:latest" not in server.loaded(), "mine is unloaded")
    assert len(ok(server, "ps", "mine").splitlines()) == 1


def test_create_says_what_is_wrong_with_the_file(server: Server, tmp_path: Path) -> None:
    before = server.files()
    (tmp_path / "Modelfile").write_text("FROM ./broken.gguf\n")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF but no more")
    done = puna("create", "broken", env=server.env, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert [name for name in server.files() - before if "manifests" in name] == []


def test_without_a_server(tmp_path: Path) -> None:
    env = environment(tmp_path, OLLAMA_HOST=f"127.0.0.1:{free_port()}")
    done = puna("list", env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: could not connect to puna server, run 'puna serve' to start it\n"
    done = puna("--version", env=env)
    assert done.returncode == 0
    assert done.stdout.startswith("Warning: could not connect to a running Puna instance\n")


def test_a_command_starts_a_server(tmp_path: Path, tiny_gguf: Path) -> None:
    """It outlives the command, serves the next one, and logs below PUNA_HOME."""
    variables = {"OLLAMA_HOST": f"127.0.0.1:{free_port()}", "PUNA_NO_START": "0"}
    env = environment(tmp_path, **variables)
    (tmp_path / "Modelfile").write_text(f"FROM {tiny_gguf}\nPARAMETER num_predict 3\n")
    try:
        assert puna("create", "tiny", env=env, cwd=tmp_path).returncode == 0
        [server] = processes(tmp_path, "serve")
        assert puna("run", "tiny", "hi", env=env).stdout.strip()
        assert processes(tmp_path, "serve") == [server]
        assert len(processes(tmp_path, "puna.runner.worker")) == 1
        log = tmp_path / "puna" / "logs" / "server.log"
        assert "Listening on" in log.read_text()
        assert (tmp_path / "puna" / "models" / "manifests").is_dir()
    finally:
        end_processes(tmp_path, "serve")
    until(lambda: not processes(tmp_path, "puna."), "the server and its runner are gone")
