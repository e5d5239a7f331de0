"""The words of `/api/puna/`, routes of our own: the store, prune, verify, update."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

__all__ = [
    "Fault",
    "PruneRequest",
    "PruneResponse",
    "PrunedFile",
    "StoreResponse",
    "UpdateRequest",
    "UpdateResponse",
    "Updated",
    "Verified",
    "VerifyRequest",
    "VerifyResponse",
]


class PruneRequest(Struct, kw_only=True):
    """What to delete: files that nothing needs, older than so many seconds; without a number an
    hour, for downloads that were cut a week.
    """

    older_than: float | None = None
    dry_run: bool = False


class PrunedFile(Struct, frozen=True, kw_only=True):
    """A deleted file and the bytes that this sets free."""

    name: str
    size: int


class PruneResponse(Struct, frozen=True, kw_only=True):
    """What was deleted, or would be. `held` unneeded files are in use and stay."""

    files: list[PrunedFile]
    held: int


class VerifyRequest(Struct, kw_only=True):
    """Which models to verify; none means all."""

    models: list[str] = field(default_factory=list)
    remove_damaged: bool = False
    stream: bool | None = None


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a model; `digest` is "" for its manifest."""

    digest: str = ""
    problem: str


class Verified(Struct, frozen=True, kw_only=True):
    """What became of one model. `removed`: its damaged blobs were deleted."""

    status: Literal["verified", "damaged"]
    model: str
    faults: list[Fault]
    removed: bool = False


class VerifyResponse(Struct, frozen=True):
    """What became of each model, where the answer is not streamed."""

    models: list[Verified]


class UpdateRequest(Struct, kw_only=True):
    """Which models to bring up to date; none means all. `insecure` counts for those of which it is
    not known how they were pulled.
    """

    models: list[str] = field(default_factory=list)
    dry_run: bool = False
    insecure: bool = False
    stream: bool | None = None


class Updated(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one model: the digests of its manifest before and after, or the reason why it
    is as it was. `outdated` is what an update would change.
    """

    status: Literal["current", "updated", "outdated", "skipped", "failed"]
    model: str
    before: str = ""
    after: str = ""
    reason: str = ""


class UpdateResponse(Struct, frozen=True):
    """What became of each model, where the answer is not streamed."""

    models: list[Updated]


class StoreResponse(Struct, frozen=True, kw_only=True):
    """The folder of the store; device and inode tell a client whether it sees the same one."""

    models: str
    device: int
    inode: int
