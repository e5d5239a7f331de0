"""Which registry an installed model came from, and as what: noted at pull and push, so that an
update never replaces what was made or changed here.

A note is about one version of a model. It says nothing of a manifest with another digest.
"""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from puna.models.durable import make_folders, replace_file
from puna.models.name import Name

__all__ = ["Origin", "Origins"]

log = logging.getLogger(__name__)

FOLDER = ".puna.origins"
MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Origin:
    """The digest (in hex) of the manifest that a registry at `base` had, and whether that one's
    certificate is checked.
    """

    digest: str
    base: str
    verify: bool


class Origins:
    """The notes of the store at `root`. Everything here blocks."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def note(self, name: Name, origin: Origin) -> None:
        """Write down where a model came from, or went to. What fails is logged."""
        path = self._folder / name.relative_path
        fields = {"digest": origin.digest, "registry": origin.base, "verify": origin.verify}
        try:
            make_folders(path.parent)
            replace_file(path, json.dumps(fields).encode(), path.parent.parent, ".note-")
        except OSError as cause:  # StoreFull is one
            log.warning("where %s comes from is not noted: %s", name.short, cause)

    def find(self, name: Name) -> Origin | None:
        """What was noted last under this name."""
        try:
            with (self._folder / name.relative_path).open("rb") as file:
                fields = json.loads(file.read(MAX_BYTES))
            digest, base, verify = fields["digest"], fields["registry"], fields["verify"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as cause:
            log.warning("where %s comes from cannot be read: %s", name.short, cause)
            return None
        if not (isinstance(digest, str) and isinstance(base, str)):
            return None
        return Origin(digest, base, verify is not False)

    def forget(self, name: Name) -> None:
        """Take a note away, if there is one."""
        with contextlib.suppress(OSError):
            (self._folder / name.relative_path).unlink()
