"""`--json`: one shape for each command, errors as JSON on standard error, the same exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.cli.test_pull import LINES
from tests.fakes.http_server import Json, Reply, ScriptedServer

ROW: Json = {"name": "tiny:latest", "digest": "abc", "size": 5}
MOMENT = "2318-01-01T00:00:00+00:00"
STEPS = [{"digest": "", "total": 0, "completed": 0, **line} for line in LINES]
VERDICT: Json = {"model": "m", "faults": [{"digest": "d", "problem": "cut"}], "removed": False}
UPDATE: Json = {"model": "m", "status": "failed", "before": "a", "after": "", "reason": "gone"}
PIECE: Json = {"content": "Hi", "thinking": "", "tool_calls": [], "done": False, "done_reason": ""}

CASES: dict[str, tuple[list[str], dict[str, Reply | list[Reply]], list[Json], int]] = {
    "list": (
        ["list", "TI"],
        {"GET /api/tags": Reply({"models": [{**ROW, "modified_at": MOMENT}, {"name": "other"}]})},
        [{"models": [{**ROW, "modified_at": MOMENT, "remote": False}]}],
        0,
    ),
    "ps": (
        ["ps"],
        {"GET /api/ps": Reply({"models": [{**ROW, "size_vram": 2, "context_length": 4}]})},
        [{"models": [{**ROW, "size_vram": 2, "context_length": 4, "expires_at": None}]}],
        0,
    ),
    "a part of show": (
        ["show", "m", "--system"],
        {"POST /api/show": Reply({"system": "Be kind.", "template": "x"})},
        [{"system": "Be kind."}],
        0,
    ),
    "cp": (["cp", "a", "b"], {"POST /api/copy": Reply()}, [{"copied": "a", "to": "b"}], 0),
    "stop": (["stop", "m"], {"POST /api/generate": Reply({})}, [{"stopped": "m"}], 0),
    "signin": (
        ["signin"],
        {"POST /api/me": Reply({"name": "ann"})},
        [{"user": "ann", "signin_url": None}],
        0,
    ),
    "login without a host": (
        ["login"],
        {"POST /api/me": Reply({"error": "no", "signin_url": "https://x"}, status=401)},
        [{"user": None, "signin_url": "https://x"}],
        0,
    ),
    "signout": (["signout"], {"POST /api/signout": Reply({})}, [{"signed_out": True}], 0),
    "logout": (["logout", "r.example"], {}, [{"host": "r.example", "signed_out": False}], 0),
    "rm": (
        ["rm", "a", "b"],
        {"POST /api/generate": Reply({}), "DELETE /api/delete": Reply()},
        [{"deleted": "a"}, {"deleted": "b"}],
        0,
    ),
    "prune": (
        ["prune", "--dry-run"],
        {"POST /api/puna/prune": Reply({"files": [{"name": "x", "size": 3}], "held": 1})},
        [{"dry_run": True, "files": [{"name": "x", "size": 3}], "held": 1}],
        0,
    ),
    "verify": (
        ["verify"],
        {"POST /api/puna/verify": Reply(lines=[{"status": "checking"}, VERDICT])},
        [
            {"status": "checking", "digest": "", "total": 0, "completed": 0},
            VERDICT,
        ],
        1,
    ),
    "update": (
        ["update", "--all"],
        {"POST /api/puna/update": Reply(lines=[UPDATE])},
        [UPDATE],
        1,
    ),
    "pull": (["pull", "m"], {"POST /api/pull": Reply(lines=LINES)}, [*STEPS], 0),
    "push": (["push", "h/n/m"], {"POST /api/push": Reply(lines=LINES)}, [*STEPS], 0),
    "run": (
        ["run", "m", "hi"],
        {
            "POST /api/show": Reply({"capabilities": ["completion"]}),
            "POST /api/generate": Reply(lines=[{"response": "Hi"}]),
        },
        [
            {
                **PIECE,
                "metrics": dict.fromkeys(
                    (
                        "total_duration",
                        "load_duration",
                        "prompt_eval_count",
                        "prompt_eval_duration",
                        "eval_count",
                        "eval_duration",
                    ),
                    0,
                ),
            }
        ],
        0,
    ),
    "a vector": (
        ["run", "m", "hi"],
        {
            "POST /api/show": Reply({"capabilities": ["embedding"]}),
            "POST /api/embed": Reply({"embeddings": [[0.5]]}),
        },
        [{"embedding": [0.5]}],
        0,
    ),
    "the version": (
        ["--version"],
        {"GET /api/version": Reply({"version": "9.9.9"})},
        [{"server": "9.9.9", "client": "0.1.0"}],
        0,
    ),
}


def objects(text: str) -> list[Json]:
    """The JSON values of a text, one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


@pytest.mark.parametrize(("args", "replies", "shape", "code"), CASES.values(), ids=CASES)
def test_the_shape_of_each_command(
    args: list[str],
    replies: dict[str, Reply | list[Reply]],
    shape: list[Json],
    code: int,
    tmp_path: Path,
) -> None:
    with ScriptedServer(replies) as server:
        done = puna(*args, "--json", env=environment(tmp_path, OLLAMA_HOST=server.url))
    assert (done.returncode, done.stderr) == (code, "")
    assert objects(done.stdout) == shape


ERRORS = {
    "of the server": (["cp", "a", "b", "--json"], "no reply for POST /api/copy"),
    "of the flags": (["list", "--json", "--foo"], "unknown flag: --foo"),
    "of a step": (["pull", "m", "--json"], "boom"),
}


@pytest.mark.parametrize(("args", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_are_json_too(args: list[str], message: str, tmp_path: Path) -> None:
    with ScriptedServer({"POST /api/pull": Reply(lines=[LINES[0], {"error": "boom"}])}) as server:
        done = puna(*args, env=environment(tmp_path, OLLAMA_HOST=server.url))
    assert (done.returncode, json.loads(done.stderr)) == (1, {"error": message})


def test_a_word_after_two_dashes_is_no_flag(tmp_path: Path) -> None:
    done = puna("cp", "--", "--json", env=environment(tmp_path))
    assert done.stderr == "Error: accepts 2 arg(s), received 1\n"
