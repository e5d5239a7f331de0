"""The commands as processes, against a scripted server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

DIGEST = "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72"
HEAVY = {
    "numpy",
    "jinja2",
    "rich",
    "starlette",
    "prompt_toolkit",
    "llama_cpp",
    "uvicorn",
    "httpx2",
    "ssl",
}

ERRORS = {
    "unknown command": (["foo"], 'unknown command "foo" for "puna"'),
    "close to a command": (
        ["lit"],
        'unknown command "lit" for "puna"\n\nDid you mean this?\n\tlist\n',
    ),
    "version is no command": (["version"], 'unknown command "version" for "puna"'),
    "unknown flag": (["list", "--foo"], "unknown flag: --foo"),
    "unknown root flag": (["--foo"], "unknown flag: --foo"),
    "unknown letter": (["list", "-x"], "unknown shorthand flag: 'x' in -x"),
    "too few words": (["cp", "a"], "accepts 2 arg(s), received 1"),
    "too many words": (["serve", "a"], "accepts 0 arg(s), received 1"),
    "no words": (["rm"], "requires at least 1 arg(s), only received 0"),
    "two parts": (
        ["show", "m", "--license", "--system"],
        "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' "
        "can be specified",
    ),
    "keepalive without unit": (
        ["run", "m", "--keepalive", "5"],
        'time: missing unit in duration "5"',
    ),
    "unknown level": (
        ["run", "m", "--think=x"],
        'invalid value for --think: "x" (must be true, false, high, medium, low, or max)',
    ),
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        yield started


@pytest.fixture
def env(server: ScriptedServer, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, OLLAMA_HOST=server.url)


@pytest.mark.parametrize(("args", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_are_one_line_on_stderr(args: list[str], message: str, env: dict[str, str]) -> None:
    done = puna(*args, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {message}\n"


def test_list_prints_a_table(server: ScriptedServer, env: dict[str, str]) -> None:
    rows = [
        {"name": "llama3.2:latest", "digest": DIGEST, "size": 2019393189},
        {"name": "tiny:latest", "digest": "abc", "size": 5, "remote_model": "x"},
    ]
    server.script.replies["GET /api/tags"] = Reply({"models": rows})
    assert puna("list", env=env).stdout == (
        "NAME               ID              SIZE      MODIFIED \n"
        "llama3.2:latest    a80c4f17acd5    2.0 GB    Never       \n"
        "tiny:latest        abc             -         Never       \n"
    )
    assert puna("ls", "TINY", env=env).stdout == (
        "NAME           ID     SIZE    MODIFIED \ntiny:latest    abc    -       Never       \n"
    )
    assert server.script.seen[0].method == "HEAD"
    assert server.script.seen[0].headers["User-Agent"].startswith("puna/")


def test_an_empty_list_is_its_header(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["GET /api/tags"] = Reply({"models": None})
    done = puna("list", env=env)
    assert (done.returncode, done.stdout) == (0, "NAME    ID    SIZE    MODIFIED \n")


def test_list_loads_nothing_heavy(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["GET /api/tags"] = Reply({"models": []})
    code = (
        "import sys; from puna.cli.main import main\nmain(['list'])\n"
        "for name in ('create', 'ps', 'cp', 'rm', 'stop'): __import__('puna.cli.' + name)\n"
        "print(*sys.modules)"
    )
    output = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    loaded = set(output.splitlines()[-1].split())
    assert "puna.cli.list" in loaded
    assert not HEAVY & loaded


def test_the_version_loads_next_to_nothing(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["GET /api/version"] = Reply({"version": "9.9.9"})
    code = (
        "import sys; sys.argv = ['puna', '-v']; from puna.cli.entry import main; main()\n"
        "print(*sys.modules)"
    )
    output = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    assert output.startswith("puna version is 9.9.9\n")
    loaded = set(output.splitlines()[-1].split())
    light = {"click", "asyncio", "http.client", "email", "platform", "puna.client.replies"}
    assert not (HEAVY | light) & loaded


def test_ps_prints_a_table(server: ScriptedServer, env: dict[str, str]) -> None:
    row = {
        "name": "tiny:latest",
        "digest": DIGEST,
        "size": 4000,
        "size_vram": 3000,
        "context_length": 4096,
        "expires_at": "2318-01-01T00:00:00Z",
    }
    server.script.replies["GET /api/ps"] = Reply({"models": [row]})
    assert puna("ps", env=env).stdout.splitlines()[1] == (
        "tiny:latest    a80c4f17acd5    4 KB    25%/75% CPU/GPU    4096       Forever    "
    )
    assert len(puna("ps", "TINY", env=env).stdout.splitlines()) == 1


def test_cp_says_what_it_did(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["POST /api/copy"] = Reply()
    assert puna("cp", "a", "b", env=env).stdout == "copied 'a' to 'b'\n"
    assert server.requests("/api/copy") == [{"source": "a", "destination": "b"}]


def test_rm_unloads_and_stops_at_the_first_error(
    server: ScriptedServer, env: dict[str, str]
) -> None:
    missing = Reply({"error": "model 'b' not found"}, 404)
    server.script.replies |= {
        "POST /api/generate": [Reply({}), missing],
        "DELETE /api/delete": [Reply(), missing],
    }
    done = puna("rm", "a", "b", "c", env=env)
    assert (done.returncode, done.stdout) == (1, "deleted 'a'\n")
    assert done.stderr == "Error: model 'b' not found\n"
    assert server.requests("/api/generate")[0] == {"model": "a", "keep_alive": 0}
    assert [body["model"] for body in server.requests("/api/delete")] == ["a", "b"]


def test_rm_warns_when_unloading_fails(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies |= {
        "POST /api/generate": Reply({"error": "boom"}, 500),
        "DELETE /api/delete": Reply(),
    }
    assert puna("rm", "a", env=env).stderr == "Warning: unable to stop model 'a'\n"


def test_stop_is_silent_and_names_what_it_does_not_find(
    server: ScriptedServer, env: dict[str, str]
) -> None:
    missing = Reply({"error": "model 'm' not found"}, 404)
    server.script.replies["POST /api/generate"] = [Reply(lines=[{"done": True}]), missing]
    done = puna("stop", "m", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert puna("stop", "m", env=env).stderr == 'Error: couldn\'t find model "m" to stop\n'


PARTS = {
    "license": ("--license", "MIT\n"),
    "modelfile": ("--modelfile", "FROM x\n"),
    "parameters": ("--parameters", "stop a\n"),
    "template without newline": ("--template", "{{ .Prompt }}"),
    "system without newline": ("--system", "Be kind."),
}


@pytest.mark.parametrize(("flag", "expected"), PARTS.values(), ids=PARTS)
def test_show_prints_a_part(
    flag: str, expected: str, server: ScriptedServer, env: dict[str, str]
) -> None:
    server.script.replies["POST /api/show"] = Reply(
        {
            "license": "MIT",
            "modelfile": "FROM x",
            "parameters": "stop a",
            "template": "{{ .Prompt }}",
            "system": "Be kind.",
        }
    )
    assert puna("show", "m", flag, env=env).stdout == expected


def test_version_with_a_server(server: ScriptedServer, env: dict[str, str]) -> None:
    server.script.replies["GET /api/version"] = Reply({"version": "9.9.9"})
    done = puna("-v", env=env)
    assert done.stdout == "puna version is 9.9.9\nWarning: client version is 0.1.0\n"


def test_version_without_a_server(tmp_path: Path) -> None:
    done = puna("--version", env=environment(tmp_path, OLLAMA_HOST="127.0.0.1:1"))
    assert (done.returncode, done.stdout) == (
        0,
        "Warning: could not connect to a running Puna instance\nWarning: client version is 0.1.0\n",
    )


def test_without_a_server_there_is_one_line(tmp_path: Path) -> None:
    done = puna("list", env=environment(tmp_path, OLLAMA_HOST="127.0.0.1:1"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: could not connect to puna server, run 'puna serve' to start it\n"
    )


def test_help_lists_commands_in_their_order(tmp_path: Path) -> None:
    done = puna("help", env=environment(tmp_path))
    lines = done.stdout.split("Available Commands:\n")[1].split("\n\n")[0].splitlines()
    assert " ".join(line.split()[0] for line in lines) == (
        "serve create import quantize show run stop pull push signin signout login logout list ps "
        "cp rm update prune verify launch bench doctor logs service completion help"
    )
    assert lines[0] == "  serve        Start the server"
    assert done.stdout == puna(env=environment(tmp_path)).stdout


def test_help_names_variables(tmp_path: Path) -> None:
    env = environment(tmp_path)
    text = puna("run", "--help", env=env).stdout
    assert puna("help", "run", env=env).stdout == text
    block = text.split("Environment Variables:\n")[1].splitlines()
    assert [line[6:33].strip() for line in block] == [
        "OLLAMA_EDITOR",
        "OLLAMA_HOST",
        "OLLAMA_NOHISTORY",
    ]
    assert "      --think string[=true]" in text
