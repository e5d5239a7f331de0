"""`puna service`: the files for systemd and launchd, on any system."""

from __future__ import annotations

import plistlib
import sys
from pathlib import Path

import pytest

from puna.cli.service import LABEL, make_service, systemd_unit
from puna.errors import BadRequest
from tests.cli.support import environment, puna

PROGRAM = ["/opt/my puna/python", "-m", "puna", "serve"]
HOME = Path("/home/ann")


def test_a_unit_of_systemd() -> None:
    service = make_service("linux", HOME, PROGRAM, {"OLLAMA_HOST": "0.0.0.0"})
    assert service.path == HOME / ".config/systemd/user/puna.service"
    lines = service.text.splitlines()
    assert 'ExecStart="/opt/my puna/python" "-m" "puna" "serve"' in lines
    assert 'Environment="OLLAMA_HOST=0.0.0.0"' in lines
    assert lines[-2:] == ["[Install]", "WantedBy=default.target"]


def test_nothing_in_a_unit_is_taken_for_its_syntax() -> None:
    unit = systemd_unit(["/a$b/%h"], {"X": 'say "50%" \\ $HOME'})
    assert 'ExecStart="/a$$b/%%h"' in unit
    assert 'Environment="X=say \\"50%%\\" \\\\ $HOME"' in unit
    with pytest.raises(BadRequest, match="control characters"):
        systemd_unit(["/bin/puna"], {"X": "a\n[Service]\nExecStart=/bin/sh"})


def test_a_launch_agent_of_macos() -> None:
    service = make_service("darwin", HOME, PROGRAM, {"OLLAMA_MODELS": "/m & n"})
    assert service.path == HOME / "Library/LaunchAgents" / f"{LABEL}.plist"
    described = plistlib.loads(service.text.encode())
    assert described["ProgramArguments"] == PROGRAM
    assert described["EnvironmentVariables"] == {"OLLAMA_MODELS": "/m & n"}
    assert described["KeepAlive"] is True
    assert described["StandardErrorPath"] == "/home/ann/.puna/logs/server.log"


def test_other_systems_have_none() -> None:
    with pytest.raises(BadRequest, match="not for win32"):
        make_service("win32", HOME, PROGRAM, {})


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_a_dry_run_shows_everything_and_does_nothing(tmp_path: Path) -> None:
    env = environment(tmp_path, OLLAMA_KEEP_ALIVE="9m", HF_TOKEN="secret", PUNA_API_KEY="k")
    said = puna("service", "install", "--dry-run", env=env).stdout
    assert 'Environment="OLLAMA_KEEP_ALIVE=9m"' in said
    assert "secret" not in said
    assert 'Environment="PUNA_API_KEY=k"' in said  # without it the service would be open
    assert "PUNA_NO_START" not in said
    assert said.endswith("would run systemctl --user enable --now puna.service\n")
    assert list(tmp_path.iterdir()) == []
    assert "would delete" in puna("service", "uninstall", "--dry-run", env=env).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_installing_and_uninstalling(tmp_path: Path) -> None:
    """With a systemctl that notes how it is called."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexit 0\n')
    program.chmod(0o755)
    env = environment(tmp_path)
    env["PATH"] = f"{program.parent}:{env['PATH']}"
    unit = tmp_path / ".config/systemd/user/puna.service"
    assert puna("service", "install", env=env).stdout == f"wrote {unit}\n"
    assert f'Environment="PUNA_HOME={tmp_path / "puna"}"' in unit.read_text()
    assert unit.stat().st_mode & 0o777 == 0o600
    assert puna("service", "status", env=env).returncode == 0
    assert puna("service", "uninstall", env=env).stdout == f"deleted {unit}\n"
    assert not unit.exists()
    assert (tmp_path / "calls").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable --now puna.service",
        "--user status --no-pager puna.service",
        "--user disable --now puna.service",
    ]
    assert puna("service", "uninstall", env=env).returncode == 1
