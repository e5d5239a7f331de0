"""The bodies that the native routes answer with, in the reference's field order.

Fields without a default are always written; the others are left out at their default.
Facts: API spec, sections 11 to 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Raw, Struct, field

__all__ = [
    "CloudStatus",
    "Details",
    "EmbedResponse",
    "EmbeddingsResponse",
    "InstalledModel",
    "QueueResponse",
    "RunningModel",
    "RunningResponse",
    "ShowResponse",
    "ShownMessage",
    "StatusResponse",
    "TagsResponse",
    "VersionResponse",
    "WaitingRequest",
]


class VersionResponse(Struct, frozen=True, kw_only=True):
    """The version of the API that is spoken, and Puna's own."""

    version: str
    puna: str


class HealthResponse(Struct, frozen=True, kw_only=True):
    """That the server answers requests; while it ends it says so with a 503."""

    status: str = "ok"


class CloudStatus(Struct, frozen=True, kw_only=True):
    """Whether there is a cloud, and what says so."""

    disabled: bool
    source: str


class StatusResponse(Struct, frozen=True, kw_only=True):
    """The answer of /api/status."""

    cloud: CloudStatus


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What kind of model it is. The two lengths appear in the list of installed models only."""

    parent_model: str
    format: str
    family: str
    families: list[str] | None
    parameter_size: str
    quantization_level: str
    context_length: int = 0
    embedding_length: int = 0


class InstalledModel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of /api/tags. `size` in bytes; `digest` of the manifest, without a prefix."""

    name: str
    model: str
    remote_model: str = ""
    remote_host: str = ""
    modified_at: str
    size: int
    digest: str
    details: Details
    capabilities: list[str] = field(default_factory=list)


class RunningModel(Struct, frozen=True, kw_only=True):
    """One row of /api/ps. Sizes in bytes; every key is always there."""

    name: str
    model: str
    size: int
    digest: str
    details: Details
    expires_at: str
    size_vram: int
    context_length: int


class TagsResponse(Struct, frozen=True, kw_only=True):
    """The installed models: `InstalledModel`s, the newest first."""

    models: Sequence[object]


class RunningResponse(Struct, frozen=True, kw_only=True):
    """The loaded models: `RunningModel`s."""

    models: Sequence[object]


class WaitingRequest(Struct, frozen=True, kw_only=True):
    """A request that waits for its model. `position` counts from 1."""

    position: int
    model: str
    priority: str
    waited_ms: int
    reason: str


class QueueResponse(Struct, frozen=True, kw_only=True):
    """The answer of /api/queue: who waits, the next first, and how busy the server is.

    `limit` is how many may wait; `running` counts requests, `loaded` and `loading` models.
    """

    waiting: list[WaitingRequest]
    limit: int
    running: int
    loaded: int
    loading: int


class ShownMessage(Struct, frozen=True, kw_only=True):
    """A stored message, as show gives it."""

    role: str
    content: str


class ShowResponse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of /api/show."""

    license: str = ""
    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    details: Details
    messages: list[ShownMessage] = field(default_factory=list)
    remote_model: str = ""
    remote_host: str = ""
    model_info: dict[str, Any]
    projector_info: dict[str, Any] = field(default_factory=dict)
    tensors: list[dict[str, Any]] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    modified_at: str
    requires: str = ""


class EmbedResponse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of /api/embed: a vector for each input. Figures are left out where they are 0."""

    model: str
    embeddings: Raw
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0


class EmbeddingsResponse(Struct, frozen=True, kw_only=True):
    """The answer of /api/embeddings: one vector."""

    embedding: Raw
