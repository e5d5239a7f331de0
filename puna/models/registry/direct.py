"""Uploads that a registry signs for: the whole blob goes to an object store, in one request.

The registry names the address and the headers that its signature covers; no credentials of ours go
there. Facts: models spec, section 10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from puna.errors import RegistryError
from puna.models.registry.part import Part
from puna.models.registry.session import Order, Session
from puna.models.registry.transport import Reply, refusal

__all__ = ["Direct", "begin_headers", "direct_of"]

SIGNED = "x-signed-header-"
MAX_SIGNED = 32
MAX_BYTES = 8192

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect"})
"""Headers that are about the connection, which is ours."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Where the blob is to be put, and with which headers."""

    url: str
    headers: Mapping[str, str]

    async def send(self, session: Session, part: Part, patience: float) -> None:
        """Put the part, which is the whole blob. Raises RegistryError."""
        usual = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(part.end - part.start),
        }
        replaced = {name.lower() for name in self.headers}
        kept = {name: value for name, value in usual.items() if name.lower() not in replaced}
        order = Order("PUT", {**kept, **self.headers}, part.pieces, follow=False, patience=patience)
        async with session.send_elsewhere(self.url, order) as reply:
            if reply.status not in {200, 201}:
                raise await refusal(reply)


def begin_headers(size: int) -> dict[str, str]:
    """What is said when an upload begins that may be signed for."""
    return {"Content-Length": "0", "X-Redirect-Uploads": "2", "X-Content-Length": str(size)}


def direct_of(session: Session, reply: Reply) -> Direct | None:
    """What a registry has signed, if anything. Raises RegistryError for what cannot be sent."""
    address = reply.headers.get("x-direct-upload-url", "")
    if not address:
        return None
    signed = {
        name.lower().removeprefix(SIGNED): value
        for name, value in reply.headers.items()
        if name.lower().startswith(SIGNED)
    }
    sent = {name: value for name, value in signed.items() if name not in _FRAMING}
    is_good = len(sent) <= MAX_SIGNED and all(
        _NAME.fullmatch(name) and _VALUE.fullmatch(value) and len(value) <= MAX_BYTES
        for name, value in sent.items()
    )
    if not is_good:
        raise RegistryError("the registry signed headers that cannot be sent")
    return Direct(session.next_url(reply.url, address), sent)
