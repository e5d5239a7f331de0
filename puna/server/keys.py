"""Whether a request brings a key, where the server wants one.

Facts: compatibility spec, 9.1. Keys are compared in a time that does not tell how much of one is
right.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["OPEN_PATHS", "Keys"]

OPEN_PATHS = frozenset({"/", "/v1", "/health", "/v1/health", "/version", "/api/version"})
"""What is answered without a key: whether somebody is here, and who."""

Headers = Iterable[tuple[bytes, bytes]]


class Keys:
    """The keys of the setting api_keys; without any, every request may pass."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def admit(self, path: str, headers: Headers) -> bool:
        """Whether a request may pass. Names of headers are in lower case."""
        if not self._digests or path in OPEN_PATHS:
            return True
        is_known = False
        for brought in _brought(headers):
            digest = _digest(brought)
            for known in self._digests:  # all of them: which one it is shall not be measurable
                is_known |= hmac.compare_digest(digest, known)
        return is_known


def _brought(headers: Headers) -> Iterator[bytes]:
    for name, value in headers:
        if name == b"x-api-key":
            yield value
        elif name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield key.strip()


def _digest(key: bytes) -> bytes:
    """Of one length, whatever the key's is."""
    return hashlib.sha256(key).digest()
