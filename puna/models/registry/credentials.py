"""Names and passwords that `docker login` has written down. Other keepers are not asked."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

from puna.models.registry.auth import Credentials
from puna.models.registry.origin import LOOPBACK, Registry

__all__ = ["read_credentials"]

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024


def read_credentials(path: Path, registry: Registry) -> Credentials | None:
    """What the file `config.json` has for this registry; None where others might read it, too.

    Blocks. A file that cannot be read is logged.
    """
    origin = registry.origin
    is_private = origin.scheme == "https" and registry.verify
    if not is_private and origin.host not in LOOPBACK:
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
