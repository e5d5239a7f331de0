"""`puna completion`: what a shell offers, asked of a real bash."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import environment, puna
from tests.fakes.http_server import Reply, ScriptedServer

MODELS = {"models": [{"name": "tiny:latest"}, {"name": "tiny:v1"}, {"name": "big:latest"}]}

OFFERS: dict[str, tuple[str, list[str]]] = {
    "commands": ("puna pu", ["pull", "push"]),
    "models": ("puna run ti", ["tiny", "tiny:v1"]),
    "what is after a colon": ("puna run tiny:", ["v1"]),
    "models of many": ("puna rm big ti", ["tiny", "tiny:v1"]),
    "loaded ones": ("puna stop ", ["big"]),
    "flags": ("puna run tiny --no", ["--nowordwrap"]),
    "values": ("puna run tiny --format ", ["json"]),
    "files": ("puna create x -f Mod", ["Modelfile"]),
    "integrations": ("puna launch open", ["openclaw", "opencode"]),
    "models of a flag": ("puna launch droid --model ti", ["tiny", "tiny:v1"]),
    "no second model": ("puna cp tiny ", []),
    "topics of help": ("puna help qu", ["quantize"]),
    "nothing for an unknown command": ("puna what ", []),
}


@pytest.mark.parametrize(("line", "offered"), OFFERS.values(), ids=OFFERS)
def test_bash(line: str, offered: list[str], tmp_path: Path) -> None:
    (tmp_path / "Modelfile").touch()
    program = tmp_path / "bin" / "puna"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m puna "$@"\n')
    program.chmod(0o755)
    script = (
        f'eval "$(puna completion bash)"; COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; _puna; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    replies: dict[str, Reply | list[Reply]] = {
        "GET /api/tags": Reply(MODELS),
        "GET /api/ps": Reply({"models": [{"name": "big:latest"}]}),
    }
    with ScriptedServer(replies) as server:
        env = environment(tmp_path, OLLAMA_HOST=server.url)
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            env={**env, "PATH": f"{program.parent}:{env['PATH']}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert (sorted(done.stdout.split()), done.stderr) == (offered, "")


def test_without_a_server_it_is_silent(tmp_path: Path) -> None:
    done = puna("__complete", "run", "", env=environment(tmp_path, OLLAMA_HOST="127.0.0.1:1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid(shell: str, tmp_path: Path) -> None:
    script = puna("completion", shell, env=environment(tmp_path)).stdout
    assert " __complete " in script
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here to read it")
    subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)


def test_another_shell_is_an_error(tmp_path: Path) -> None:
    done = puna("completion", "tcsh", env=environment(tmp_path))
    assert done.stderr == "Error: unknown shell tcsh: there are bash, zsh, fish\n"
