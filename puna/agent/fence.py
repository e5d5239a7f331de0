"""The folder that an agent works in: which paths lie inside, and which files are secret."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from puna.errors import PunaError

__all__ = ["Fence", "Refused", "is_run_unasked", "is_secret"]

_SECRET_FOLDERS = (".ssh", ".gnupg", ".aws", ".azure", ".password-store")
_SECRET_FILES = frozenset(
    [
        ".netrc",
        ".git-credentials",
        ".pgpass",
        ".npmrc",
        ".pypirc",
        ".docker/config.json",
        ".kube/config",
        ".config/gh/hosts.yml",
        ".config/gcloud/application_default_credentials.json",
        ".cache/huggingface/token",
        ".ollama/id_ed25519",
        ".puna/id_ed25519",
    ]
)
_SECRET_OF_SYSTEM = frozenset(["/etc/shadow", "/etc/gshadow", "/etc/sudoers"])

_RUN_UNASKED = frozenset(
    [
        *(".git", ".hg", ".svn", ".husky", ".githooks"),  # hooks, and settings that name programs
        *(".vscode", ".idea", ".devcontainer", ".envrc"),
        *(".agents", ".ollama", ".claude"),  # what agents are told
        *(".bashrc", ".bash_profile", ".bash_login", ".profile", ".bash_logout"),
        *(".zshrc", ".zshenv", ".zprofile", ".zlogin"),
        *("autostart", "launchagents", "systemd"),
    ]
)


class Refused(PunaError):
    """A call that is not carried out; the model is told why."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A folder, with symbolic links resolved. `here` is where relative paths begin."""

    root: Path
    here: Path

    @classmethod
    def around(cls, folder: Path) -> Fence:
        """The fence around a folder that is there."""
        root = folder.resolve(strict=True)
        return cls(root, root)

    def holds(self, path: Path) -> bool:
        """Whether a path leads, links resolved, to something inside."""
        real = path.resolve()
        return real == self.root or self.root in real.parents

    def moved(self, folder: Path) -> Fence:
        """The same fence with another `here`; unchanged where that is outside or no folder."""
        real = folder.resolve()
        return Fence(self.root, real) if real.is_dir() and self.holds(real) else self

    def find(self, written: str) -> Path:
        """What a path means. Relative ones must stay inside; absolute ones may lead out, which
        `holds` tells. The last part is not resolved, so that a link is seen. Raises Refused.
        """
        if not written or "\0" in written or len(written) > 4096:
            raise Refused("a path is missing or cannot be one")
        path = Path(os.path.normpath(self.here / Path(written).expanduser()))
        place = path.parent.resolve() / path.name if path.name else path
        if is_secret(place) or is_secret(place.resolve()):
            raise Refused(f"{written} holds credentials, which are not read or written")
        if not Path(written).expanduser().is_absolute() and not self.holds(place):
            raise Refused(f"{written} leads out of the working folder {self.root}")
        return place

    def find_inside(self, written: str) -> Path:
        """What a path inside means. Raises Refused for any other."""
        place = self.find(written)
        if not self.holds(place):
            raise Refused(f"{written} is outside of the working folder {self.root}")
        return place

    def base(self, path: Path) -> Path:
        """The folder from which a path that was found is opened, part by part."""
        return self.root if path == self.root or self.root in path.parents else path.parent

    def shown(self, path: Path) -> str:
        """A path as people write it: relative if it is inside."""
        return str(path.relative_to(self.root)) if self.root in path.parents else str(path)


def is_run_unasked(path: Path) -> bool:
    """Whether programs run what lies there without a question: hooks, start-up files and such."""
    return any(part.lower() in _RUN_UNASKED for part in path.parts)


def is_secret(path: Path) -> bool:
    """Whether a path is known for credentials."""
    if str(path) in _SECRET_OF_SYSTEM:
        return True
    home = Path.home().resolve()
    for base in (Path.home(), home):
        if base in path.parents:
            inside = path.relative_to(base)
            return inside.parts[0] in _SECRET_FOLDERS or inside.as_posix() in _SECRET_FILES
    return False
