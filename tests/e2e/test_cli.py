"""The command line against the real server, which it starts by itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.support import environment, puna
from tests.fakes.fixtures import stories_gguf

pytestmark = pytest.mark.e2e

STORY = (
    ", there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball."
)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def end_server(home: Path) -> None:
    """End the server that a command started, and wait until it is gone."""
    pid_file = home / "puna" / "server.pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sign)
            if wait_for_end(pid):
                return
        except ProcessLookupError:
            return


def wait_for_end(pid: int) -> bool:
    """Wait five seconds for a process; one that nobody has reaped yet counts as ended."""
    for _ in range(100):
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield environment(
        tmp_path,
        OLLAMA_HOST=f"127.0.0.1:{free_port()}",
        PUNA_NO_START="0",
        PROMPT_TOOLKIT_NO_CPR="1",
    )
    end_server(tmp_path)


@pytest.fixture
def model(env: dict[str, str], tmp_path: Path) -> str:
    lines = [f"FROM {stories_gguf()}", "PARAMETER temperature 0", "PARAMETER num_predict 40"]
    (tmp_path / "Modelfile").write_text("\n".join(lines))
    done = puna("create", "tiny", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.splitlines()[-1] == "success"
    return "tiny"


def test_two_commands_start_one_server(env: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "puna", "list"]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in both]
    assert outputs == [(b"NAME    ID    SIZE    MODIFIED \n", b"")] * 2
    assert [log.name for log in (tmp_path / "puna" / "logs").iterdir()] == ["server.log"]


def test_a_server_that_fails_says_why(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('one\\ntwo')")
    done = puna("list", env={**env, "PYTHONPATH": f"{tmp_path}:{env['PYTHONPATH']}"})
    log = tmp_path / "puna" / "logs" / "server.log"
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: the server did not start ({log}):\none\ntwo\n",
    )


def test_a_model_from_creation_to_removal(env: dict[str, str], model: str) -> None:
    done = puna("run", model, "Once upon a time", "--verbose", env=env)
    assert done.stdout.startswith(STORY), done.stderr
    assert "eval count:           40 token(s)" in done.stderr
    assert puna("ps", env=env).stdout.splitlines()[1].startswith("tiny:latest ")
    assert puna("stop", model, env=env).returncode == 0
    assert len(puna("ps", env=env).stdout.splitlines()) == 1
    assert "architecture        llama" in puna("show", model, env=env).stdout
    assert "PARAMETER num_predict 40" in puna("show", model, "--modelfile", env=env).stdout
    assert puna("cp", model, "two", env=env).stdout == "copied 'tiny' to 'two'\n"
    assert puna("rm", model, "two", env=env).stdout == "deleted 'tiny'\ndeleted 'two'\n"
    done = puna("rm", model, env=env)
    assert (done.returncode, done.stderr) == (1, "Error: model 'tiny' not found\n")
    done = puna("show", model, env=env)
    assert (done.returncode, done.stderr) == (1, "Error: model 'tiny:latest' not found\n")
    assert puna("stop", model, env=env).stderr == 'Error: couldn\'t find model "tiny" to stop\n'


def test_the_prompt(env: dict[str, str], model: str) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "puna", "run", model], env=env, encoding="utf-8", timeout=30
    )
    child.expect_exact(">>> ")
    child.send("/set parameter num_predict 2000\r")
    child.expect_exact("Set parameter 'num_predict' to '2000'")
    child.expect_exact(">>> ")
    child.send("Once upon a time\r")
    child.expect("[a-z]+ [a-z]+ [a-z]+ [a-z]+ [a-z]+")
    child.sendintr()
    child.expect_exact(">>> ")
    child.send("/set parameter num_predict 5\r")
    child.expect_exact("to '5'")
    child.expect_exact(">>> ")
    child.send("Once upon a time\r")
    child.expect("\r\n\r\n")
    child.expect_exact(">>> ")
    child.send("/save mine\r")
    child.expect_exact("Created new model 'mine'")
    child.expect_exact(">>> ")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    shown = puna("show", "mine", "--modelfile", env=env).stdout
    assert "PARAMETER num_predict 5\n" in shown
    assert "MESSAGE user Once upon a time\n" in shown
