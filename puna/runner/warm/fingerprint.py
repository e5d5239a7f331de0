"""The name of everything that decides what is in a KV cell, and how it lies there."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from puna.runner.protocol import LoadPlan
from puna.runner.warm.form import FINGERPRINT

__all__ = ["fingerprint"]

_BLOB = re.compile(r"sha256-([0-9a-f]{64})")
_HARMLESS = frozenset(
    {
        "n_ctx",
        "n_ctx_auto",
        "n_parallel",
        "max_sequences",
        "n_batch",
        "n_threads",
        "use_mmap",
        "speculation",
        "draft",
        "projector",
        "embedding_only",
    }
)
"""Fields of a plan that change how fast it goes or how much there is room for, and nothing else.

What is not named here counts, and so does every field that will be added to the plan.
"""


def fingerprint(plan: LoadPlan, engine: str, variant: str = "") -> bytes:
    """The fingerprint of a plan's cells.

    `engine` names the engine's build, `variant` what of the model depends on more than its files.
    """
    fields = {
        name: value
        for name, value in msgspec.to_builtins(plan).items()
        if name not in _HARMLESS | {"model", "parts", "adapters"}
    }
    facts = {
        "model": [_digest(path) for path in plan.weights],
        "adapters": [_digest(path) for path in plan.adapters],
        "plan": fields,
        "engine": engine,
        "variant": variant,
    }
    encoded = msgspec.json.encode(facts, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=FINGERPRINT).digest()


def _digest(path: str) -> str:
    """The SHA-256 of a file. The store's blobs have it as their name, checked when they came."""
    named = _BLOB.fullmatch(Path(path).name)
    if named:
        return named[1]
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
