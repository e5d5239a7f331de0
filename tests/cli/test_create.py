"""`puna create`: from a Modelfile to uploads and a request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.cli.create import make_request, read_plan
from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

WEIGHTS = b"GGUF" + bytes(range(256)) * 5000
DIGEST = f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"
MODELFILE = '''
FROM ./weights/model.gguf
PARAMETER temperature 0.5
PARAMETER stop a
PARAMETER stop b
PARAMETER mirostat 1
SYSTEM """
Be kind.
"""
LICENSE MIT
MESSAGE user hi
MESSAGE assistant hello: you
'''
STEPS: list[dict[str, object]] = [
    {"status": "parsing GGUF"},
    {"status": "parsing GGUF"},
    {"status": "quantizing", "digest": "0000000000000000000", "total": 10, "completed": 5},
    {"status": "quantizing", "digest": "0000000000000000000", "total": 10, "completed": 10},
    {"status": "success"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.gguf").write_bytes(WEIGHTS)
    (tmp_path / "Modelfile").write_text(MODELFILE)
    return tmp_path


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({"POST /api/create": Reply(lines=STEPS)}) as started:
        started.script.replies[f"POST /api/blobs/{DIGEST}"] = Reply(status=201)
        yield started


def test_a_plan_becomes_a_request(folder: Path) -> None:
    plan = read_plan(folder / "Modelfile")
    request = make_request("m", plan, {plan.files[0]: DIGEST}, "q8_0")
    assert request == {
        "model": "m",
        "files": {"model.gguf": DIGEST},
        "parameters": {"temperature": 0.5, "stop": ["a", "b"]},
        "system": "\nBe kind.\n",
        "license": ["MIT"],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello: you"},
        ],
        "quantize": "q8_0",
    }


def test_files_are_sent_and_progress_told(folder: Path, server: ScriptedServer) -> None:
    env = environment(folder, OLLAMA_HOST=server.url)
    # The Modelfile's folder counts, not the working one.
    done = puna("create", "m", "-f", str(folder / "Modelfile"), env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "gathering model components",
        "warning: parameter mirostat is deprecated",
        f"copying file {DIGEST} 1.3 MB",
        "parsing GGUF",
        "quantizing 10 B",
        "success",
    ]
    [upload] = [s for s in server.script.seen if s.method == "POST" and "blobs" in s.path]
    assert upload.body == WEIGHTS
    assert server.requests("/api/create")[0]["files"] == {"model.gguf": DIGEST}


def test_known_files_are_not_sent_again(folder: Path, server: ScriptedServer) -> None:
    server.script.replies[f"HEAD /api/blobs/{DIGEST}"] = Reply()
    env = environment(folder, OLLAMA_HOST=server.url)
    assert puna("create", "m", env=env, cwd=folder).returncode == 0
    assert not [s for s in server.script.seen if s.method == "POST" and "blobs" in s.path]


def test_what_is_no_file_is_a_model(folder: Path, server: ScriptedServer) -> None:
    (folder / "Modelfile").write_text("FROM llama3.2\n")
    env = environment(folder, OLLAMA_HOST=server.url)
    assert puna("create", "m", env=env, cwd=folder).returncode == 0
    assert server.requests("/api/create") == [{"model": "m", "from": "llama3.2"}]


ERRORS = {
    "a level for no draft": (
        ["m", "--draft-quantize", "q8_0"],
        MODELFILE,
        "--draft-quantize requires a DRAFT model",
    ),
    "bad name": (["a/b/c/d/e"], MODELFILE, "invalid model name: a/b/c/d/e"),
    "no FROM": (["m"], "SYSTEM x\n", "no FROM line"),
    "no Modelfile and no weights": (
        ["m", "-f", "nothing"],
        "",
        "no Modelfile or safetensors files found",
    ),
}


@pytest.mark.parametrize(("args", "text", "message"), ERRORS.values(), ids=ERRORS)
def test_mistakes_are_told(
    args: list[str], text: str, message: str, folder: Path, server: ScriptedServer
) -> None:
    (folder / "Modelfile").write_text(text)
    env = environment(folder, OLLAMA_HOST=server.url)
    done = puna("create", *args, env=env, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"Error: {message}"


def test_a_server_error_ends_it(folder: Path, server: ScriptedServer) -> None:
    server.script.replies["POST /api/create"] = Reply(lines=[STEPS[0], {"error": "boom"}])
    env = environment(folder, OLLAMA_HOST=server.url)
    done = puna("create", "m", env=env, cwd=folder)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "Error: boom")
