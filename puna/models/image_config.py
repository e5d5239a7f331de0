"""The config blob: what a model is (family, size, file type) and how it wants to be prompted.

Facts: models spec, section 4. Older blobs carry fields of container images; they are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from puna.errors import BadManifest
from puna.gojson import Fields, Json, decode_first, encode
from puna.models.fields import object_of, text_of, texts_of, whole_of

__all__ = ["DraftConfig", "ImageConfig", "encode_image_config", "parse_image_config"]


@dataclass(frozen=True, slots=True)
class DraftConfig:
    """What is known about the draft model that came with the weights."""

    model_format: str = ""
    architecture: str = ""
    tensor_prefix: str = ""
    config: str = ""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """One model's config. An absent value is "", 0 or ()."""

    model_format: str = ""
    model_family: str = ""
    model_families: tuple[str, ...] = ()
    model_type: str = ""
    file_type: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    remote_model: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    embedding_length: int = 0
    base_name: str = ""
    draft: DraftConfig | None = None
    architecture: str = "amd64"
    os: str = "linux"


def parse_image_config(raw: bytes) -> ImageConfig:
    """Read a config blob. Raises BadManifest when it is not a JSON object of these types."""
    try:
        fields = object_of(decode_first(raw), "config")
    except ValueError as cause:
        raise BadManifest(f"config is not JSON: {cause}") from cause
    return ImageConfig(
        **{key: text_of(fields, key) for key in _TEXTS},
        model_families=texts_of(fields, "model_families"),
        capabilities=texts_of(fields, "capabilities"),
        context_length=whole_of(fields, "context_length"),
        embedding_length=whole_of(fields, "embedding_length"),
        draft=_draft(fields.get("draft")),
    )


_TEXTS = (
    "model_format",
    "model_family",
    "model_type",
    "file_type",
    "renderer",
    "parser",
    "requires",
    "remote_host",
    "remote_model",
    "base_name",
    "architecture",
    "os",
)
_DRAFT_TEXTS = ("model_format", "architecture", "tensor_prefix", "config")


def _draft(value: Json) -> DraftConfig | None:
    if value is None:
        return None
    fields = object_of(value, "draft")
    return DraftConfig(**{key: text_of(fields, key) for key in _DRAFT_TEXTS})


def encode_image_config(config: ImageConfig) -> bytes:
    """Write a config blob byte for byte as the reference does, with an LF at the end."""
    optional: Mapping[str, Json] = {
        "renderer": config.renderer,
        "parser": config.parser,
        "requires": config.requires,
        "remote_host": config.remote_host,
        "remote_model": config.remote_model,
        "capabilities": list(config.capabilities),
        "context_length": config.context_length,
        "embedding_length": config.embedding_length,
        "base_name": config.base_name,
    }
    document = Fields(
        model_format=config.model_format,
        model_family=config.model_family,
        model_families=list(config.model_families) or None,
        model_type=config.model_type,
        file_type=config.file_type,
        **{key: value for key, value in optional.items() if value},
    )
    if config.draft is not None:
        texts = ((key, getattr(config.draft, key)) for key in _DRAFT_TEXTS)
        document["draft"] = Fields((key, text) for key, text in texts if text)
    document["architecture"] = config.architecture
    document["os"] = config.os
    return encode(document, newline=True)
