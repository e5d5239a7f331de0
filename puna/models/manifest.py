"""The manifest: which blobs make a model. Reading what others wrote, and writing our own bytes.

Facts: models spec, section 3. Where manifests lie on disk is `library.py`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from puna.errors import BadManifest, InvalidDigest
from puna.gojson import Fields, Json, decode_first, encode
from puna.models.digest import Digest
from puna.models.fields import items_of, object_of, text_of, whole_of

__all__ = [
    "ADAPTER",
    "CONFIG",
    "DRAFT",
    "EMBED",
    "JSON",
    "LICENSE",
    "MANIFEST",
    "MAX_MANIFEST_BYTES",
    "MESSAGES",
    "MODEL",
    "PARAMS",
    "PROJECTOR",
    "PROMPT",
    "SYSTEM",
    "TEMPLATE",
    "TENSOR",
    "Layer",
    "Manifest",
    "encode_manifest",
    "mentioned_digests",
    "parse_manifest",
]

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
MODEL = "application/vnd.ollama.image.model"
PROJECTOR = "application/vnd.ollama.image.projector"
ADAPTER = "application/vnd.ollama.image.adapter"
DRAFT = "application/vnd.ollama.image.draft"
TEMPLATE = "application/vnd.ollama.image.template"
PROMPT = "application/vnd.ollama.image.prompt"  # the old name of TEMPLATE
SYSTEM = "application/vnd.ollama.image.system"
PARAMS = "application/vnd.ollama.image.params"
MESSAGES = "application/vnd.ollama.image.messages"
LICENSE = "application/vnd.ollama.image.license"
TENSOR = "application/vnd.ollama.image.tensor"
JSON = "application/vnd.ollama.image.json"
EMBED = "application/vnd.ollama.image.embed"  # obsolete, ignored

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_LAYERS = 65_536  # a model stored tensor by tensor has one layer for each

_MENTION = re.compile(rb"sha256[:-][0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Layer:
    """One blob of a model: what it is, its name and its size in bytes.

    `from_` is the model or file it came from, `name` the tensor or file it holds; both may be "".
    """

    media_type: str
    digest: Digest
    size: int
    from_: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All blobs of one model. Only a degenerate manifest (`{}`) has no config."""

    config: Layer | None = None
    layers: tuple[Layer, ...] = ()
    media_type: str = MANIFEST
    schema_version: int = 2

    @property
    def size(self) -> int:
        """Bytes of all blobs as listings show it: a blob that is named twice counts twice."""
        return sum(layer.size for layer in self.blobs)

    @property
    def blobs(self) -> tuple[Layer, ...]:
        """The layers, and the config last."""
        return (*self.layers, self.config) if self.config else self.layers

    @property
    def digests(self) -> frozenset[Digest]:
        """Every blob that the model needs."""
        return frozenset(layer.digest for layer in self.blobs)

    def of_type(self, *media_types: str) -> tuple[Layer, ...]:
        """The layers of these types, in order."""
        return tuple(layer for layer in self.layers if layer.media_type in media_types)


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest. Unknown fields and whatever follows the first JSON value are ignored.

    Raises BadManifest for anything that is not JSON, has wrong types, digests or sizes, or is huge.
    """
    if len(raw) > MAX_MANIFEST_BYTES:
        raise BadManifest(f"manifest is {len(raw)} bytes, at most {MAX_MANIFEST_BYTES} are read")
    try:
        fields = object_of(decode_first(raw), "manifest")
    except ValueError as cause:
        raise BadManifest(f"manifest is not JSON: {cause}") from cause
    layers = items_of(fields, "layers")
    if len(layers) > MAX_LAYERS:
        raise BadManifest(f"manifest has {len(layers)} layers, at most {MAX_LAYERS} are read")
    config = object_of(fields.get("config"), "config")
    return Manifest(
        config=_layer(config) if text_of(config, "digest") else None,
        layers=tuple(_layer(object_of(layer, "layer")) for layer in layers),
        media_type=text_of(fields, "mediaType"),
        schema_version=whole_of(fields, "schemaVersion"),
    )


def _layer(fields: Mapping[str, Json]) -> Layer:
    text = text_of(fields, "digest")
    try:
        digest = Digest.parse(text)
    except InvalidDigest as cause:
        raise BadManifest(f"invalid digest format in manifest: {text[:80]!r}") from cause
    return Layer(
        media_type=text_of(fields, "mediaType"),
        digest=digest,
        size=whole_of(fields, "size"),
        from_=text_of(fields, "from"),
        name=text_of(fields, "name"),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as the reference does: compact, fields in their order, one LF at the end."""
    layers = [_fields(layer) for layer in manifest.layers]
    config = _fields(manifest.config) if manifest.config else _EMPTY_LAYER
    document = Fields(
        schemaVersion=manifest.schema_version,
        mediaType=manifest.media_type,
        config=config,
        layers=layers or None,
    )
    return encode(document, newline=True)


_EMPTY_LAYER = Fields(mediaType="", digest="", size=0)


def _fields(layer: Layer) -> Fields:
    fields = Fields(mediaType=layer.media_type, digest=str(layer.digest), size=layer.size)
    if layer.from_:
        fields["from"] = layer.from_
    if layer.name:
        fields["name"] = layer.name
    return fields


def mentioned_digests(raw: bytes) -> frozenset[Digest]:
    """Every digest that stands anywhere in these bytes: what a damaged manifest may still need."""
    return frozenset(Digest.parse(match[0].decode()) for match in _MENTION.finditer(raw))
