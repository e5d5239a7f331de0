"""Where a launch happens: the user's home, system and environment, and the server's address."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from puna.config import Host, Settings, user_environment

__all__ = ["Place", "make_place"]

ANY_KEY = "ollama"


@dataclass(frozen=True, slots=True)
class Place:
    """What an integration may know of the machine. `own_folder` is where Puna keeps what is its
    own, `system` a `sys.platform`, `context_length` the setting of that name, 0 if there is none;
    `api_key` is what the server wants of its clients, "" if it wants none.
    """

    home: Path
    own_folder: Path
    system: str
    environ: Mapping[str, str]
    host: Host
    context_length: int = 0
    api_key: str = ""

    @property
    def url(self) -> str:
        """The server as the user names it."""
        return self.host.url.rstrip("/")

    @property
    def reachable_url(self) -> str:
        """The server where a program on this machine reaches it."""
        return self.host.connectable().url.rstrip("/")

    @property
    def key(self) -> str:
        """The key for a program that must have one, whether the server wants one or not."""
        return self.api_key or ANY_KEY

    def variable(self, name: str) -> str:
        """A variable of the environment, without blanks around it; "" if it is not there."""
        return self.environ.get(name, "").strip()

    def find(self, program: str, *elsewhere: Path) -> Path | None:
        """A program on the PATH, else the first of the files `elsewhere` that is there."""
        found = shutil.which(program, path=self.environ.get("PATH", ""))
        if found is not None:
            return Path(found)
        return next((path for path in elsewhere if path.exists()), None)


def make_place(settings: Settings) -> Place:
    """This machine."""
    return Place(
        Path.home(),
        settings.home.absolute(),
        sys.platform,
        user_environment(),
        settings.host,
        settings.context_length,
        settings.api_key,
    )
