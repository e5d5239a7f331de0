"""`puna logs`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.support import environment, puna


def test_the_last_lines(tmp_path: Path) -> None:
    env = environment(tmp_path)
    log = tmp_path / "puna" / "logs" / "server.log"
    missing = puna("logs", env=env)
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"Error: there is no log at {log}: ")
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\nthree\n")
    assert puna("logs", env=env).stdout == "one\ntwo\nthree\n"
    assert puna("logs", "-n", "2", env=env).stdout == "two\nthree\n"
    assert puna("logs", "-n", "-1", env=env).returncode == 1


def test_following_takes_up_the_next_log(tmp_path: Path) -> None:
    log = tmp_path / "puna" / "logs" / "server.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\n")
    with subprocess.Popen(
        [sys.executable, "-m", "puna", "logs", "-f"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        with log.open("a") as file:
            file.write("two\n")
        assert process.stdout.readline() == "two\n"
        log.rename(log.with_stem("server-1"))
        log.write_text("a new one\n")
        assert process.stdout.readline() == "a new one\n"
        process.terminate()
