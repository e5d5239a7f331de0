"""A model under construction: its layers in order, and its config.

Facts: models spec, section 15.4.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from puna.api.options import merge_options
from puna.api.requests import Message
from puna.errors import BadRequest, InvalidOption, TemplateError, quoted
from puna.fmt import human_number
from puna.gguf.describe import Description
from puna.gojson import Fields, Json
from puna.models.blobs import Adopted
from puna.models.digest import Digest
from puna.models.image_config import DraftConfig, ImageConfig, encode_image_config
from puna.models.layers import Model, encode_messages, encode_params
from puna.models.library import Library
from puna.models.linking import Way
from puna.models.manifest import (
    CONFIG,
    LICENSE,
    MESSAGES,
    MODEL,
    PARAMS,
    PROMPT,
    SYSTEM,
    TEMPLATE,
    Layer,
    Manifest,
)
from puna.prompt.layer import LayerTemplate

__all__ = ["ModelBuilder"]


class ModelBuilder:
    """Collects layers. Nothing is written before `store`, when everything has been checked, but for
    weights that are made anew: nobody removes those before the `with` is left, and where it fails
    they go with it.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self.layers: list[Layer] = []
        self.created: set[Digest] = set()
        """Blobs that `store` found missing."""
        self._texts: dict[Digest, bytes] = {}
        self.config = ImageConfig(model_format="gguf")
        self._params: Mapping[str, Json] = {}
        self._holds = ExitStack()
        self._made: set[Digest] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._holds.close()
        if error is not None and self._made:
            self._library.remove_unreferenced(self._made)

    def inherit(self, parent: Model) -> None:
        """Take over an installed model: its layers, shared and not copied."""
        for layer in parent.stored.manifest.layers:
            self._library.blobs.refresh(layer.digest)
            self.layers.append(replace(layer, from_=parent.name.short))
        self.config = replace(
            self.config,
            renderer=parent.config.renderer,
            parser=parent.config.parser,
            requires=parent.config.requires,
            model_format=parent.config.model_format or "gguf",
            capabilities=parent.config.capabilities,
        )
        self._params = parent.params

    def add_file(self, media_type: str, digest: Digest, name: str = "") -> None:
        """Add a blob that is in the store already. Raises BlobMissing."""
        size = self._library.blobs.refresh(digest)
        self.layers.append(Layer(media_type, digest, size, from_=name))

    def add_made(self, media_type: str, blob: Adopted) -> None:
        """Add a blob that was made for this model."""
        self._keep(blob)
        self.layers.append(Layer(media_type, blob.digest, blob.size))

    def exchange(self, before: Digest, blob: Adopted) -> None:
        """Let a blob take the place of one: the same weights in another form."""
        self._keep(blob)
        self.layers = [
            replace(layer, digest=blob.digest, size=blob.size, from_="")
            if layer.digest == before
            else layer
            for layer in self.layers
        ]

    def _keep(self, blob: Adopted) -> None:
        self._holds.enter_context(self._library.holding({blob.digest}))
        if blob.way is not Way.PRESENT:
            self.created.add(blob.digest)
            self._made.add(blob.digest)

    def drop(self, digests: Collection[Digest]) -> None:
        """Leave layers out again."""
        self.layers = [layer for layer in self.layers if layer.digest not in digests]

    def describe(self, description: Description) -> None:
        """Take the config's facts from the weights; every file of weights adds its family."""
        config = self.config
        self.config = replace(
            config,
            model_family=config.model_family or description.architecture,
            model_families=(*config.model_families, description.architecture),
            model_type=config.model_type or human_number(description.parameter_count),
            file_type=config.file_type or description.file_type,
        )

    @property
    def has_weights(self) -> bool:
        """Whether there is a model for an adapter to stand on."""
        return self.has(MODEL)

    def has(self, media_type: str) -> bool:
        """Whether there is a layer of a type."""
        return any(layer.media_type == media_type for layer in self.layers)

    def set_template(self, text: str) -> None:
        """Replace the template; an empty one leaves what is inherited.

        Raises BadRequest when it does not parse.
        """
        if text:
            try:
                LayerTemplate.parse(text)
            except TemplateError as wrong:
                raise BadRequest(f"template error: {wrong}") from None
            self._replace((TEMPLATE, PROMPT), text.encode())

    def set_system(self, text: str) -> None:
        """Replace the system prompt; an empty one leaves what is inherited."""
        if text:
            self._replace((SYSTEM,), text.encode())

    def add_licenses(self, texts: Iterable[str]) -> None:
        """Append licenses to the inherited ones."""
        for text in texts:
            self._append(LICENSE, text.encode())

    def set_stop(self, stop: Sequence[str]) -> None:
        """Let answers end at these words, where nobody asks for others."""
        self._params = {**self._params, "stop": list(stop)}

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Lay parameters over the inherited ones, key by key. Raises BadRequest for wrong types."""
        try:
            merge_options(params)
        except InvalidOption as wrong:
            raise BadRequest(str(wrong)) from None
        union = {
            **self._params,
            **{key: value for key, value in params.items() if value is not None},
        }
        if union:
            self._replace((PARAMS,), encode_params(union))

    def set_messages(self, messages: Sequence[Message]) -> None:
        """Replace the stored messages; none leaves what is inherited. Raises BadRequest."""
        if not messages:
            return
        try:
            raw = encode_messages([_stored(each) for each in messages])
        except ValueError as wrong:
            raise BadRequest(f"messages cannot be stored: {wrong}") from None
        self._replace((MESSAGES,), raw)

    def set_runtime(self, *, renderer: str, parser: str, requires: str) -> None:
        """Set what the config says about running it; empty texts leave what is inherited."""
        self.config = replace(
            self.config,
            renderer=renderer or self.config.renderer,
            parser=parser or self.config.parser,
            requires=requires or self.config.requires,
        )

    def set_style(self, style: str) -> None:
        """Name the renderer and the parser where nobody has."""
        self.set_runtime(
            renderer=self.config.renderer or style, parser=self.config.parser or style, requires=""
        )

    def set_draft(self, architecture: str) -> None:
        """Say in the config that there is a draft model."""
        self.config = replace(
            self.config, draft=DraftConfig(model_format="gguf", architecture=architecture)
        )

    def set_info(self, info: Mapping[str, Any]) -> None:
        """Let the request overrule what was found (models spec, 15.5). Raises BadRequest."""
        changes: dict[str, Any] = {}
        for key, field in _TEXT_INFO.items():
            if key in info:
                changes[field] = _text(key, info[key])
        for key in ("context_length", "embedding_length"):
            if key in info:
                changes[key] = _length(key, info[key])
        if "model_family" in changes:
            changes["model_families"] = (changes["model_family"],)
        more = info.get("capabilities")
        if isinstance(more, list):
            words = tuple(item if isinstance(item, str) else "" for item in more)
            changes["capabilities"] = (*self.config.capabilities, *words)
        self.config = replace(self.config, **changes)

    def store(self) -> None:
        """Write the blobs of the small layers. Raises StoreFull."""
        for layer in self.layers:
            data = self._texts.get(layer.digest)
            if data is not None and self._library.blobs.add(data).created:
                self.created.add(layer.digest)

    def finish(self) -> Manifest:
        """Write the config and return the manifest, which nobody has seen yet."""
        raw = encode_image_config(self.config)
        digest = self._library.blobs.add(raw).digest
        return Manifest(Layer(CONFIG, digest, len(raw)), tuple(self.layers))

    def _replace(self, media_types: tuple[str, ...], data: bytes) -> None:
        self.layers = [layer for layer in self.layers if layer.media_type not in media_types]
        self._append(media_types[0], data)

    def _append(self, media_type: str, data: bytes) -> None:
        digest = Digest.of(data)
        self._texts[digest] = data
        self.layers.append(Layer(media_type, digest, len(data)))


_TEXT_INFO = {
    "model_family": "model_family",
    "base_name": "base_name",
    "quantization_level": "file_type",
    "parameter_size": "model_type",
}


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"info field {quoted(key)} must be a string")
    return value


def _length(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"info field {quoted(key)} must be a number")
    if value < 0 or value != int(value):
        raise BadRequest(f"info field {quoted(key)} must be a non-negative integer")
    return int(value)


def _stored(message: Message) -> Fields:
    fields = Fields(role=message.role, content=message.content)
    if message.thinking:
        fields["thinking"] = message.thinking
    if message.images:
        fields["images"] = [base64.b64encode(image).decode() for image in message.images]
    if message.tool_calls:
        fields["tool_calls"] = [
            Fields(
                function=Fields(
                    index=call.function.index,
                    name=call.function.name,
                    arguments=Fields(call.function.arguments),
                )
            )
            for call in message.tool_calls
        ]
    for name, value in (("tool_name", message.tool_name), ("tool_call_id", message.tool_call_id)):
        if value:
            fields[name] = value
    return fields
