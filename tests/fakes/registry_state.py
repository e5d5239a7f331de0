"""What the faulty registry holds, what goes wrong in it, and what it has seen."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes.registry_client import PackedModel

Kind = Literal[
    "status",
    "truncate",
    "reset",
    "stall",
    "corrupt",
    "range",
    "hold",
    "trickle",
    "cut",
    "lost",
    "nowhere",
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer, `after` so many bytes of its body.

    `status` is sent instead of the answer; `stall` sends no more for good, `hold` until the gate
    opens; `trickle` goes on byte by byte; `corrupt` turns one byte; `range` serves other bytes than
    those that were asked for. What is written is `cut` after so many bytes, or done and the answer
    `lost`; `nowhere` leaves the address out of the answer.
    """

    kind: Kind
    after: int = 0
    status: int = 503
    body: bytes = b"out of order"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `server` is `registry` or `store`."""

    server: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    method: str = "GET"

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass
class FaultyRegistry:
    """The state of both servers; change it while they run."""

    models: dict[str, bytes] = field(default_factory=dict)
    """`namespace/model:reference` to the manifest's bytes."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    wants_token: bool = False
    realm: str = ""
    """Where tokens are said to be had; here, unless it is set."""
    token_field: str = "token"
    token_uses: int = 1_000_000
    """How many requests a token is good for."""
    redirects: bool = False
    """Whether blobs lie in the object store, under addresses that are good for `link_uses`."""
    link_uses: int = 1_000_000
    ranges: bool = True
    bytes_per_second: float = 0.0
    """How fast blobs are served, and bodies read, unless it is 0."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """`manifest`, `token` or `blob` to what goes wrong with the next requests; of those who write,
    `head`, `start`, `part`, `status`, `commit`, `manifest` and `object`."""
    seen: list[Seen] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes sent of each blob."""
    uploads: dict[str, bytearray] = field(default_factory=dict)
    """What has come of the blobs that are being uploaded."""
    mounts: bool = True
    tells_status: bool = True
    redirects_parts: bool = False
    """Whether parts are to be sent to the object store."""
    signs: dict[str, str] | None = None
    """Headers that are signed for uploads of whole blobs to the object store, if there are such."""
    busiest: int = 0
    """The most bodies of blobs that came in at once."""
    busy: int = 0
    relative: bool = False
    """Whether addresses in answers are relative."""
    received: int = 0
    """Bytes of parts that came in."""
    gate: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    store: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    tokens: Counter[str] = field(default_factory=Counter)
    links: Counter[str] = field(default_factory=Counter)
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, repository: str, model: PackedModel, tag: str = "latest") -> str:
        """Offer a model; returns its full name."""
        self.models[f"{repository}:{tag}"] = model.raw
        self.blobs |= model.blobs
        return f"{self.address}/{repository}:{tag}"

    def requests(self, part: str, server: str = "registry") -> list[Seen]:
        """Those with `part` in their path."""
        return [each for each in self.seen if part in each.path and each.server == server]

    def next_fault(self, kind: str) -> Fault | None:
        with self.lock:
            waiting = self.faults.get(kind)
            return waiting.pop(0) if waiting else None
