"""The model at rest, as a whole: what its manifest's layers say, read and joined.

Facts: models spec, sections 3.2 and 5. Weights are named here, and opened only where there are
several files of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from puna.errors import BadManifest, BadModelFile
from puna.gguf.reader import read_header
from puna.gguf.split import MAX_PARTS, Place, place_of
from puna.gojson import Json, decode_first, encode
from puna.models.digest import Digest
from puna.models.fields import object_of, text_of
from puna.models.image_config import ImageConfig, parse_image_config
from puna.models.library import Library, Stored
from puna.models.manifest import (
    ADAPTER,
    DRAFT,
    LICENSE,
    MESSAGES,
    MODEL,
    PARAMS,
    PROJECTOR,
    PROMPT,
    SYSTEM,
    TEMPLATE,
    Layer,
)
from puna.models.name import Name

__all__ = [
    "Message",
    "Model",
    "Weights",
    "encode_messages",
    "encode_params",
    "join_parts",
    "load_model",
    "parse_messages",
    "parse_params",
    "read_model",
]

Message = Mapping[str, Json]
"""One stored message: `role`, `content` and perhaps more (models spec, section 5)."""

T = TypeVar("T")

MAX_TEXT_BYTES = 8 * 1024 * 1024
MAX_MESSAGES_BYTES = 64 * 1024 * 1024  # messages may carry images
MAX_EXACT = 2**53  # from here on a double skips whole numbers


@dataclass(frozen=True, slots=True)
class Weights:
    """One file of weights. `parent` is the model or file it came from, or "".

    `more` are the further parts of a model that is split, in order.
    """

    digest: Digest
    path: Path
    size: int
    parent: str = ""
    more: tuple[Weights, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """All its files."""
        return (self.path, *(part.path for part in self.more))


@dataclass(frozen=True, slots=True)
class Model:
    """One installed model. `template` is None without a template layer; absent texts are ""."""

    stored: Stored
    config: ImageConfig
    weights: Weights | None = None
    projectors: tuple[Weights, ...] = ()
    adapters: tuple[Weights, ...] = ()
    draft: Weights | None = None
    template: str | None = None
    system: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    licenses: tuple[str, ...] = ()

    @property
    def name(self) -> Name:
        """The name as stored."""
        return self.stored.name


def load_model(library: Library, name: Name) -> Model:
    """Read the model `name`, and check that all its files are there.

    Raises ModelNotFound, BadManifest, BlobMissing.
    """
    model = read_model(library, library.read(name))
    for layer in model.stored.manifest.blobs:
        library.blobs.size(layer.digest)
    return model


def read_model(library: Library, stored: Stored) -> Model:
    """Join the layers of an installed model; its weights need not be there.

    Raises BlobMissing for other layers, BadManifest when one does not read.
    """
    manifest = stored.manifest
    config = manifest.config
    params: dict[str, Json] = {}
    for layer in manifest.of_type(PARAMS):
        params |= parse_params(_read(library, layer))
    messages = [_read(library, layer) for layer in manifest.of_type(MESSAGES)[-1:]]
    return Model(
        stored=stored,
        config=parse_image_config(_read(library, config)) if config else ImageConfig(),
        weights=join_parts(_files(library, stored, MODEL)),
        projectors=_files(library, stored, PROJECTOR),
        adapters=_files(library, stored, ADAPTER),
        draft=_last(_files(library, stored, DRAFT)),
        template=_last(_texts(library, manifest.of_type(TEMPLATE, PROMPT)[-1:])),
        system=_last(_texts(library, manifest.of_type(SYSTEM)[-1:])) or "",
        params=params,
        messages=parse_messages(messages[0]) if messages else (),
        licenses=_texts(library, manifest.of_type(LICENSE)),
    )


def _files(library: Library, stored: Stored, media_type: str) -> tuple[Weights, ...]:
    return tuple(
        Weights(layer.digest, library.blobs.path(layer.digest), layer.size, layer.from_)
        for layer in stored.manifest.of_type(media_type)
    )


def join_parts(files: tuple[Weights, ...]) -> Weights | None:
    """The last file counts, and with a part of a split model all its parts, in their order.

    Files that cannot be read count as parts where others are: who opens them says what is wrong.
    """
    if len(files) < 2 or len(files) > MAX_PARTS:
        return _last(files)
    places = [_place(file) for file in files]
    whole = _last(tuple(place for place in places if place is not None))
    if whole is None or not whole.count or places[-1] == _WHOLE:
        return files[-1]
    parts = [
        (place.index if place and place.index is not None else position, position, file)
        for position, (place, file) in enumerate(zip(places, files, strict=True))
        if place is None or place.count == whole.count
    ]
    first, *more = [file for _, _, file in sorted(parts, key=lambda part: part[:2])]
    return replace(first, more=tuple(more))


_WHOLE = Place(None, 0)


def _place(file: Weights) -> Place | None:
    """Where a file belongs, `_WHOLE` where it stands alone, None where it cannot be read."""
    try:
        return place_of(read_header(file.path)) or _WHOLE
    except (OSError, BadModelFile):
        return None


def _texts(library: Library, layers: tuple[Layer, ...]) -> tuple[str, ...]:
    return tuple(_read(library, layer).decode("utf-8", errors="replace") for layer in layers)


def _last(items: tuple[T, ...]) -> T | None:
    return items[-1] if items else None


def _read(library: Library, layer: Layer) -> bytes:
    limit = MAX_MESSAGES_BYTES if layer.media_type == MESSAGES else MAX_TEXT_BYTES
    raw = library.blobs.read(layer.digest, limit)
    if len(raw) > limit:
        raise BadManifest(f"layer {layer.digest} is too large: at most {limit} bytes are read")
    return raw


def parse_params(raw: bytes) -> dict[str, Json]:
    """Read a params layer. Raises BadManifest when it is not a JSON object."""
    return dict(object_of(_decoded(raw, "params"), "params"))


def encode_params(params: Mapping[str, Json]) -> bytes:
    """Write a params layer as the reference does: keys sorted, every number a double."""
    return encode({key: _as_double(value) for key, value in params.items()}, newline=True)


def _as_double(value: Json) -> Json:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_EXACT:
        return float(value)
    return [_as_double(item) for item in value] if isinstance(value, list | tuple) else value


def parse_messages(raw: bytes) -> tuple[Message, ...]:
    """Read a messages layer; roles become lower case. Raises BadManifest."""
    value = _decoded(raw, "messages")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadManifest("messages is not a JSON array")
    return tuple(_message(object_of(item, "message")) for item in value)


def _message(fields: Mapping[str, Json]) -> Message:
    known = {"role": text_of(fields, "role").lower(), "content": text_of(fields, "content")}
    return {**fields, **known}


def encode_messages(messages: Sequence[Message]) -> bytes:
    """Write a messages layer; each message's fields keep the order that they have."""
    return encode(messages, newline=True)


def _decoded(raw: bytes, what: str) -> Json:
    try:
        return decode_first(raw)
    except ValueError as cause:
        raise BadManifest(f"{what} is not JSON: {cause}") from cause
