"""Fetching a model's manifest, out of an index where the registry has one.

Facts: models spec, sections 6 and 8.2; the OCI image index and Docker's manifest list.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from puna.errors import BadManifest, InvalidDigest, RegistryError
from puna.gojson import Json, decode_first
from puna.models.digest import Digest
from puna.models.fields import items_of, object_of, text_of
from puna.models.manifest import MANIFEST, MAX_MANIFEST_BYTES, TENSOR, Manifest, parse_manifest
from puna.models.registry.session import Session

__all__ = ["Fetched", "choose", "fetch_manifest"]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPT = ", ".join((MANIFEST, OCI_MANIFEST, *INDEXES))
MODEL_LAYERS = "application/vnd.ollama.image."

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest and its bytes as the registry sent them."""

    raw: bytes
    manifest: Manifest


async def fetch_manifest(session: Session) -> Fetched:
    """The manifest of the session's model, checked as far as that goes without its blobs.

    Raises NotInRegistry, Denied, RegistryError, BadManifest.
    """
    raw = await _read(session, session.name.tag)
    if (entries := _index(raw)) is not None:
        digest = choose(entries, _system(), _machine())
        raw = await _read(session, str(digest))
        if Digest.of(raw) != digest:
            raise RegistryError(f"manifest {digest} has other bytes than its digest says")
    manifest = parse_manifest(raw)
    _check(manifest)
    return Fetched(raw, manifest)


async def _read(session: Session, reference: str) -> bytes:
    return await session.read(f"manifests/{reference}", ACCEPT, MAX_MANIFEST_BYTES)


def _index(raw: bytes) -> list[Mapping[str, Json]] | None:
    """The entries of an index, None where it is none. Raises BadManifest."""
    try:
        fields = object_of(decode_first(raw), "manifest")
    except ValueError as cause:
        raise BadManifest(f"manifest is not JSON: {cause}") from cause
    if text_of(fields, "mediaType") in INDEXES or (
        "manifests" in fields and "layers" not in fields
    ):
        return [object_of(item, "manifest") for item in items_of(fields, "manifests")]
    return None


def choose(entries: list[Mapping[str, Json]], system: str, machine: str) -> Digest:
    """The manifest of an index for this machine, else one for any, else the first that runs.

    Raises BadManifest where there is none. Attestations and the like do not count.
    """
    ranked = []
    for place, entry in enumerate(entries):
        where = object_of(entry.get("platform"), "platform")
        found = (text_of(where, "os"), text_of(where, "architecture"))
        notes = object_of(entry.get("annotations"), "annotations")
        is_other = text_of(entry, "mediaType") not in {"", MANIFEST, OCI_MANIFEST}
        if is_other or "unknown" in found or "vnd.docker.reference.type" in notes:
            continue
        rank = 0 if found == (system, machine) else 1 if found == ("", "") else 2
        ranked.append((rank, place, text_of(entry, "digest")))
    if not ranked:
        raise BadManifest("the index names no manifest")
    try:
        return Digest.parse(min(ranked)[2])
    except InvalidDigest as cause:
        raise BadManifest(f"invalid digest format in index: {min(ranked)[2][:80]!r}") from cause


def _check(manifest: Manifest) -> None:
    if manifest.of_type(TENSOR):
        raise RegistryError("this model requires MLX support, but the MLX runtime is not available")
    if not manifest.blobs:
        raise RegistryError("not a model: it has no layers")
    types = [layer.media_type for layer in manifest.layers]
    if types and not any(each.startswith(MODEL_LAYERS) for each in types):
        raise RegistryError(f"not a model: its layers are of type {types[0][:100]!r}")


def _system() -> str:
    return "windows" if sys.platform == "win32" else sys.platform


def _machine() -> str:
    machine = platform.machine().lower()
    return _MACHINES.get(machine, machine)
