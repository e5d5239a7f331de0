"""`puna service install|uninstall|status`: the server as a service of this user, by systemd on
Linux and launchd on macOS. The settings of the moment go with it.
"""

from __future__ import annotations

import plistlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from puna.cli.command import command, exactly, option
from puna.config import read_settings, service_environment
from puna.errors import BadRequest, ClientError
from puna.models.durable import replace_file

__all__ = ["COMMAND", "Service", "launchd_plist", "make_service", "systemd_unit"]

LABEL = "org.puna.server"
ACTIONS = ("install", "uninstall", "status")
MODE = 0o600  # variables of the environment are in it


@dataclass(frozen=True, slots=True)
class Service:
    """The file that describes the service, and the commands that bring it up, down and ask."""

    path: Path
    text: str
    up: tuple[tuple[str, ...], ...]
    down: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]


@command(
    "service",
    usage="install|uninstall|status",
    words=exactly(1),
    variables=(),
    completes=("|".join(ACTIONS),),
    help="Run the server as a service of this user",
)
@option("--dry-run", kind="bool", help="Print what would be written and run, and do nothing")
def COMMAND(words: tuple[str, ...], dry_run: bool) -> None:
    if words[0] not in ACTIONS:
        raise BadRequest(f"unknown action {words[0]}: there are {', '.join(ACTIONS)}")
    service = make_service(
        sys.platform,
        Path.home(),
        [sys.executable, "-m", "puna", "serve"],
        service_environment(read_settings()),
    )
    match words[0]:
        case "install":
            _install(service, dry_run=dry_run)
        case "uninstall":
            _uninstall(service, dry_run=dry_run)
        case _:
            raise click.exceptions.Exit(_run(service.ask, dry_run=dry_run))


def make_service(
    platform: str, home: Path, program: Sequence[str], environ: Mapping[str, str]
) -> Service:
    """The service for a `sys.platform`. Raises BadRequest where there is none."""
    if platform == "linux":
        systemctl = ("systemctl", "--user")
        return Service(
            home / ".config" / "systemd" / "user" / "puna.service",
            systemd_unit(program, environ),
            ((*systemctl, "daemon-reload"), (*systemctl, "enable", "--now", "puna.service")),
            ((*systemctl, "disable", "--now", "puna.service"),),
            (*systemctl, "status", "--no-pager", "puna.service"),
        )
    if platform == "darwin":
        path = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        return Service(
            path,
            launchd_plist(program, environ, home / ".puna" / "logs" / "server.log"),
            (("launchctl", "load", "-w", str(path)),),
            (("launchctl", "unload", "-w", str(path)),),
            ("launchctl", "list", LABEL),
        )
    raise BadRequest(f"services are for Linux and macOS, not for {platform}")


def systemd_unit(program: Sequence[str], environ: Mapping[str, str]) -> str:
    """A user unit of systemd."""
    variables = [f"Environment={_quoted(f'{key}={environ[key]}')}" for key in sorted(environ)]
    lines = [
        "[Unit]",
        "Description=Puna: large language models on this machine",
        "After=network-online.target",
        "",
        "[Service]",
        # `$` begins a variable there, and in no Environment line
        f"ExecStart={' '.join(_quoted(word).replace('$', '$$') for word in program)}",
        *variables,
        "Restart=always",
        "RestartSec=3",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A word of a unit file. Raises BadRequest for what no line can hold."""
    if not text.isprintable():
        raise BadRequest(f"a service cannot have control characters in {text!a}")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def launchd_plist(program: Sequence[str], environ: Mapping[str, str], log: Path) -> str:
    """A launch agent of macOS."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(program),
            "EnvironmentVariables": dict(environ),
            "RunAtLoad": True,
            "KeepAlive": True,
            "StandardOutPath": str(log),
            "StandardErrorPath": str(log),
        }
    ).decode()


def _install(service: Service, *, dry_run: bool) -> None:
    if dry_run:
        print(f"would write {service.path}:\n{service.text}")
    else:
        service.path.parent.mkdir(parents=True, exist_ok=True)
        (Path.home() / ".puna" / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder, prefix = service.path.parent, f".{service.path.name}-"
        replace_file(service.path, service.text.encode(), folder, prefix, MODE)
        print(f"wrote {service.path}")
    for words in service.up:
        if code := _run(words, dry_run=dry_run):
            raise ClientError(f"{' '.join(words)} failed with status {code}")


def _uninstall(service: Service, *, dry_run: bool) -> None:
    if not service.path.exists() and not dry_run:
        raise BadRequest(f"there is no service: {service.path} is not there")
    for words in service.down:
        if code := _run(words, dry_run=dry_run):
            print(f"Warning: {' '.join(words)} failed with status {code}", file=sys.stderr)
    if dry_run:
        print(f"would delete {service.path}")
        return
    service.path.unlink()
    print(f"deleted {service.path}")


def _run(words: Sequence[str], *, dry_run: bool) -> int:
    """The exit code of a program. Raises ClientError where it is not there."""
    if dry_run:
        print(f"would run {' '.join(words)}")
        return 0
    sys.stdout.flush()
    try:
        return subprocess.run(list(words), check=False).returncode
    except FileNotFoundError:
        raise ClientError(f"{words[0]} is not there: this system has no such services") from None
