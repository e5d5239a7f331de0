"""`puna run` without a terminal."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.fakes.http_server import Json, Reply, ScriptedServer
from tests.fakes.projectors import make_image

HELLO: list[Json] = [
    {"response": "Hello "},
    {"response": "you"},
    {"response": "", "done": True, "eval_count": 2, "total_duration": 1_000_000_000},
]

REQUESTS: dict[str, tuple[list[str], bytes, Json]] = {
    "words": (["hi", "there"], b"", {"prompt": "hi there"}),
    "standard input": ([], b"hi\n", {"prompt": "hi\n"}),
    "both": (["and then"], b"hi\n", {"prompt": "hi\n and then"}),
    "neither": ([], b"", {"prompt": ""}),
    "level": (["--think=high", "hi"], b"", {"prompt": "hi", "think": "high"}),
    "a level is a word": (["--think", "high"], b"", {"prompt": "high", "think": True}),
    "thinking off": (["--think=false", "x"], b"", {"prompt": "x", "think": False}),
    "json": (["--format", "json", "x"], b"", {"prompt": "x", "format": "json"}),
    "schema": (
        ['--format={"type":"object"}', "x"],
        b"",
        {"prompt": "x", "format": {"type": "object"}},
    ),
    "keep alive": (["--keepalive", "5m", "x"], b"", {"prompt": "x", "keep_alive": "5m0s"}),
    "for ever": (["--keepalive=-1m", "x"], b"", {"prompt": "x", "keep_alive": -1}),
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        started.script.replies |= {
            "POST /api/show": Reply({"capabilities": ["completion"]}),
            "POST /api/generate": Reply(lines=HELLO),
        }
        yield started


@pytest.fixture
def env(server: ScriptedServer, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, OLLAMA_HOST=server.url)


@pytest.mark.parametrize(("args", "stdin", "body"), REQUESTS.values(), ids=REQUESTS)
def test_flags_become_a_request(
    args: list[str], stdin: bytes, body: Json, server: ScriptedServer, env: dict[str, str]
) -> None:
    done = puna("run", "m", *args, env=env, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    assert server.requests("/api/generate") == [{"model": "m", **body}]
    assert done.stdout == ("Hello you\n\n" if body["prompt"] else "Hello you")


def test_thinking_is_on_where_the_model_can(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies |= {
        "POST /api/show": Reply({"capabilities": ["completion", "thinking"]}),
        "POST /api/generate": Reply(lines=[{"thinking": "hm"}, *HELLO]),
    }
    shown = puna("run", "m", "hi", env=env).stdout
    assert shown == "Thinking...\nhm\n...done thinking.\n\nHello you\n\n"
    assert puna("run", "m", "hi", "--hidethinking", env=env).stdout == "Hello you\n\n"
    assert server.requests("/api/generate")[0]["think"] is True


def test_statistics_go_to_stderr(env: dict[str, str]) -> None:
    done = puna("run", "m", "hi", "--verbose", env=env)
    assert done.stderr == "total duration:       1s\neval count:           2 token(s)\n"


def test_half_a_surrogate_pair_does_not_end_the_answer(
    server: ScriptedServer, env: dict[str, str]
) -> None:
    server.script.replies["POST /api/generate"] = Reply(lines=[{"response": "a\ud83db"}])
    done = puna("run", "m", "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "a?b\n\n")


def test_a_missing_model_is_pulled_first(server: ScriptedServer, env: dict[str, str]) -> None:
    replies = server.script.replies
    replies["POST /api/show"] = [Reply({"error": "model 'm' not found"}, 404), Reply({})]
    replies["POST /api/pull"] = Reply(lines=[{"status": "pulling manifest"}, {"status": "success"}])
    done = puna("run", "m", "hi", "--insecure", env=env)
    assert (done.returncode, done.stdout) == (0, "Hello you\n\n")
    assert done.stderr == "pulling manifest\nsuccess\n"
    assert server.requests("/api/pull") == [{"model": "m", "name": "m", "insecure": True}]


def test_a_model_that_is_nowhere_is_named(server: ScriptedServer, env: dict[str, str]) -> None:
    nowhere = "pull model manifest: file does not exist"
    server.script.replies |= {
        "POST /api/show": Reply({"error": "model 'm' not found"}, 404),
        "POST /api/pull": Reply(lines=[{"status": "pulling manifest"}, {"error": nowhere}]),
    }
    done = puna("run", "m", "hi", env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"pulling manifest\nError: {nowhere}\n"


def test_a_broken_answer_keeps_what_came(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["POST /api/generate"] = Reply(lines=[HELLO[0], {"error": "died"}])
    done = puna("run", "m", "hi", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (1, "Hello ", "Error: died\n")


def test_vectors_are_one_line(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies |= {
        "POST /api/show": Reply({"capabilities": ["embedding"]}),
        "POST /api/embed": Reply({"embeddings": [[0.5, -1e-05], [1]]}),
    }
    done = puna("run", "m", "--dimensions=2", "--truncate=false", "hi", env=env)
    assert done.stdout == "[0.5,-1e-05]\n"
    assert server.requests("/api/embed") == [
        {"model": "m", "input": "hi", "truncate": False, "dimensions": 2}
    ]
    assert puna("run", "m", env=env).stderr == (
        'Error: embedding models require input text. Usage: puna run <model> "your text here"\n'
    )


def test_interrupting_hangs_up_and_is_no_error(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["POST /api/generate"] = Reply(lines=[{"response": "Hel"}], hold=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "puna", "run", "m", "hi"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.read(3) == "Hel"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "\n\n", "")
    assert server.script.hung_up.wait(5)


SEER = Reply({"capabilities": ["completion", "vision"]})


def test_images_are_named_by_their_path(
    server: ScriptedServer, env: dict[str, str], tmp_path: Path
) -> None:
    image = tmp_path / "one.png"
    image.write_bytes(make_image())
    prompt = f"what is {image}"
    done = puna("run", "m", "hm?", env=env, stdin=prompt.encode())
    assert server.requests("/api/generate")[-1]["prompt"] == f"{prompt} hm?"  # it cannot see
    server.script.replies["POST /api/show"] = SEER
    done = puna("run", "m", "hm?", env=env, stdin=prompt.encode())
    assert (done.returncode, done.stdout) == (0, "Hello you\n\n")
    assert done.stderr == f"Added image '{image}'\n"
    encoded = base64.b64encode(image.read_bytes()).decode()
    assert server.requests("/api/generate")[-1] == {
        "model": "m",
        "prompt": "what is  hm?",
        "images": [encoded],
    }
    image.write_text("no image")
    done = puna("run", "m", prompt, env=env)
    assert done.returncode == 1
    assert done.stderr == (
        'Error: Couldn\'t process file: "invalid file type: text/plain; charset=utf-8"\n'
    )
