"""Debian's docker-registry, the distribution project's server, on a free port of loopback."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.certificates import Certificates
from tests.fakes.registry_client import Pusher

PROGRAM = "docker-registry"
SECONDS = 30.0
USER, PASSWORD = "puna", "secret"
HTPASSWD = f"{USER}:$2y$05$xCva1suRkU8rfk8ULZWQquyEj4SFcU1mUaAG/2OnDcK3vv5wa2pMO\n"
"""The name and the bcrypt of the password, as `htpasswd -B` writes them."""

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http:
  addr: "{address}"
"""
TLS = "  tls: {{certificate: {tls.certificate}, key: {tls.key}}}\n"
AUTH = "auth: {{htpasswd: {{realm: models, path: {folder}/htpasswd}}}}\n"


@dataclass(frozen=True)
class DockerRegistry:
    """A running registry at `address`, `127.0.0.1:port`."""

    address: str
    headers: dict[str, str]

    @property
    def pusher(self) -> Pusher:
        return Pusher(f"http://{self.address}", self.headers)


@contextmanager
def docker_registry(
    folder: Path, *, with_password: bool = False, tls: Certificates | None = None
) -> Iterator[DockerRegistry]:
    """Start a registry whose data lies in `folder`. Skips the test where it is not installed."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"needs Debian's package {PROGRAM}")
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{_free_port()}"
    text = CONFIG.format(folder=folder, address=address)
    if tls is not None:
        text += TLS.format(tls=tls)
    headers = {}
    if with_password:
        text += AUTH.format(folder=folder)
        (folder / "htpasswd").write_text(HTPASSWD)
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
    (folder / "config.yml").write_text(text)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "serve", str(folder / "config.yml")], stdout=output, stderr=output
        )
    try:
        _wait(address, process, folder / "output")
        yield DockerRegistry(address, headers)
    finally:
        process.terminate()
        process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, output.read_text()
        host, _, port = address.partition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the registry does not answer: {output.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
