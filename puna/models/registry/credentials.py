"""Names and passwords as `docker login` writes them down. Other keepers are not asked."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

from puna.errors import StoreError
from puna.models.durable import make_folders, replace_file
from puna.models.registry.auth import Credentials
from puna.models.registry.origin import LOOPBACK, Registry

__all__ = ["forget_credentials", "is_private", "read_credentials", "write_credentials"]

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024


def is_private(registry: Registry) -> bool:
    """Whether nobody else can read what is sent there."""
    origin = registry.origin
    return (origin.scheme == "https" and registry.verify) or origin.host in LOOPBACK


def read_credentials(path: Path, registry: Registry) -> Credentials | None:
    """What the file `config.json` has for this registry; None where others might read it, too.

    Blocks. A file that cannot be read is logged.
    """
    origin = registry.origin
    if not is_private(registry):
        return None  # a request may ask for an insecure registry, but not for our passwords there
    try:
        with path.open("rb") as file:
            auths = json.loads(file.read(MAX_BYTES)).get("auths") or {}
        entry = auths.get(origin.authority) or {}
        text = base64.b64decode(entry.get("auth") or "", validate=True).decode()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as cause:
        log.warning("%s cannot be used: %s", path, cause)
        return None
    user, separator, password = text.partition(":")
    return Credentials(user, password) if user and separator else None


def write_credentials(path: Path, registry: Registry, credentials: Credentials) -> None:
    """Keep a name and a password for this registry; whatever else the file has stays.

    Blocks. Raises StoreError for a file that cannot be read, OSError.
    """
    fields, auths = _read(path)
    text = base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
    auths[registry.origin.authority] = {"auth": text}
    _write(path, {**fields, "auths": auths})


def forget_credentials(path: Path, authority: str) -> bool:
    """Take the entry of a registry away; False where there is none. Raises as `write_credentials`.

    Blocks.
    """
    fields, auths = _read(path)
    if auths.pop(authority.lower(), None) is None:
        return False
    _write(path, {**fields, "auths": auths})
    return True


def _read(path: Path) -> tuple[dict[str, object], dict[str, object]]:
    """The whole file, and what it has about registries."""
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(MAX_BYTES))
        return dict(fields), dict(fields.get("auths") or {})
    except FileNotFoundError:
        return {}, {}
    except (ValueError, AttributeError, TypeError, RecursionError) as cause:
        raise StoreError(f"{path} cannot be read, so it is left alone: {cause}") from cause


def _write(path: Path, fields: dict[str, object]) -> None:
    make_folders(path.parent)
    raw = json.dumps(fields, indent="\t").encode() + b"\n"
    replace_file(path, raw, path.parent, ".config-", 0o600)
