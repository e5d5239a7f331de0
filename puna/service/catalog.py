"""From the model a client names to everything its requests need: layers, description, template.

Looking up reads the disk; what was read is kept until the manifest changes.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from puna.errors import (
    BadModelFile,
    BlobMissing,
    CloudDisabled,
    InvalidName,
    ModelNotFound,
    TemplateError,
)
from puna.gguf.describe import Description, describe, describe_header
from puna.gguf.encoders import encoder_graph
from puna.gguf.footprint import Footprint, footprint_of
from puna.gguf.reader import Header, find_header
from puna.gguf.split import read_joined
from puna.gguf.translation.registry import Translation, translation_of
from puna.models.layers import Model, read_model
from puna.models.library import Library, Stored
from puna.models.name import Name, Source, split_source
from puna.prompt.capabilities import capabilities_of
from puna.prompt.choice import prefers_chat_template
from puna.prompt.layer import LayerTemplate
from puna.service.bundled import BUNDLED, install_bundled, is_bundled
from puna.threads import in_thread

__all__ = ["Catalog", "Entry", "parse_reference"]

log = logging.getLogger(__name__)

_KEPT = 256
_HEADS = frozenset({"eagle3", "dflash", "gemma4-assistant"})
"""Architectures that guess from another model's hidden states."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An installed model. `description` is None when it has no weights in a GGUF file, or when they
    cannot be read: then `fault` says why.
    """

    model: Model
    description: Description | None
    capabilities: tuple[str, ...]
    fault: OSError | BadModelFile | None = None
    draft: Path | None = None
    """The file of its draft model, when there is one that could be read."""
    chat_template: str | None = None
    """The Jinja template in its weights, when its prompts are made with that one."""
    layer: LayerTemplate | None = None
    """The Go template in its manifest, likewise."""
    footprint: Footprint | None = None
    """What the memory of its weights depends on."""
    encoder_graph: int = 0
    """Bytes that its projector takes beside its file."""
    inner_eye: int = 0
    """Bytes of the encoder of images that is inside the file of its weights, if it can be used."""
    eye: Path | None = None
    """The file by which it sees: the first projector, which is the one shown, or its weights."""
    why_blind: str = ""
    """Why an encoder that it has cannot be used."""

    @property
    def name(self) -> Name:
        """The name as stored."""
        return self.model.stored.name

    @property
    def has_weights(self) -> bool:
        """False where the manifest names weights that are not in the store."""
        return not isinstance(self.fault, FileNotFoundError)

    @property
    def family(self) -> str:
        """The architecture's name."""
        return self.model.config.model_family or (
            self.description.architecture if self.description else ""
        )

    @property
    def renderer(self) -> str:
        """The built-in renderer that makes its prompts, if one does."""
        return "" if self.chat_template is not None else self.model.config.renderer


def parse_reference(raw: str) -> Name:
    """The name in a model reference, without `:local`.

    Raises InvalidName for what is no name. A cloud reference names nothing this server has.
    """
    reference = split_source(raw)
    name = Name.parse(reference.base)
    if reference.source is Source.CLOUD:
        return Name.parse(reference.storable)
    return name


class Catalog:
    """The installed models, described. Safe to use from several tasks."""

    def __init__(
        self, library: Library, bundled: Path = BUNDLED, go_template: bool | None = None
    ) -> None:
        """`bundled` is the folder of the models that come with Puna. `go_template` decides which
        template is used where a model brings two; None leaves it to what they can do.
        """
        self.library = library
        self._go_template = go_template
        self._bundled = bundled
        self._known: OrderedDict[tuple[str, str], Entry] = OrderedDict()

    async def find(self, raw: str) -> Entry:
        """The model that a client calls `raw`.

        Raises ModelNotFound with the client's own spelling, CloudDisabled for what is not here and
        would be in the cloud, InvalidName, BadManifest.
        """
        name = parse_reference(raw)
        try:
            return await in_thread(self._read, name)
        except (ModelNotFound, BlobMissing) as missing:
            if split_source(raw).source is Source.CLOUD:
                raise CloudDisabled("remote model is unavailable") from missing
            raise ModelNotFound(raw) from missing

    async def every(self) -> list[Entry]:
        """All installed models whose manifests can be read."""
        return await in_thread(self._read_all)

    def _read(self, name: Name) -> Entry:
        try:
            return self._entry(self.library.read(name))
        except ModelNotFound:
            if not is_bundled(name, self._bundled):
                raise
        install_bundled(self.library, name, self._bundled)
        return self._entry(self.library.read(name))

    def _read_all(self) -> list[Entry]:
        entries = []
        for stored in self.library.entries():
            try:
                entries.append(self._entry(stored))
            except (OSError, InvalidName):  # one damaged model must not hide the others
                continue
        return entries

    def _entry(self, stored: Stored) -> Entry:
        key = (stored.name.full, f"{stored.digest}@{stored.modified_ns}")
        known = self._known.get(key)
        if known is not None and _is_there(known.model):
            return known
        model = read_model(self.library, stored)
        header, translation, fault = _header(model)
        description = describe_header(header) if header else None
        why_blind = translation.why_blind if translation else ""
        if description and translation:  # of encoders inside only that of images is used
            sees = description.has_vision and not why_blind
            description = replace(description, has_vision=sees, has_audio=False)
        chat_template, layer = self._templates(model, description)
        is_blind = translation is not None and translation.is_blind
        projectors = [] if is_blind else [each.path for each in model.projectors]
        eyes = [find_header(path) for path in projectors]
        inner = translation.eye.header if translation and translation.eye and not eyes else None
        eye = inner or (eyes[0] if eyes else None)
        weights = model.weights.path if model.weights and inner else None
        entry = Entry(
            model,
            description,
            capabilities_of(
                model.config.capabilities,
                description,
                [describe_header(each) if each else None for each in eyes],
                chat_template,
                layer,
                model.config.parser,
            ),
            fault,
            _draft_of(model),
            chat_template,
            layer,
            footprint_of(translation.text.header if translation else header) if header else None,
            encoder_graph(eye) if eye else 0,
            inner.file_size if inner else 0,
            projectors[0] if projectors else weights,
            why_blind,
        )
        if fault is None:  # a missing file may come back
            self._known[key] = entry
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return entry

    def _templates(
        self, model: Model, description: Description | None
    ) -> tuple[str | None, LayerTemplate | None]:
        """The Jinja or the Go template, whichever makes the model's prompts, if one does.

        Beside the name of a renderer a Go template is for insertion alone.
        """
        chat_template = description.chat_template if description else None
        if model.config.renderer:
            return chat_template, None
        layer = _layer_of(model)
        if chat_template is None or layer is None:
            return chat_template, layer
        uses_layer = self._go_template
        if uses_layer is None:
            uses_layer = not prefers_chat_template(layer, chat_template)
        return (None, layer) if uses_layer else (chat_template, None)


def _layer_of(model: Model) -> LayerTemplate | None:
    if model.template is None:
        return None
    try:
        return LayerTemplate.parse(model.template)
    except TemplateError as fault:  # who asks the model for an answer is told
        log.warning("the template of %s is left out: %s", model.name.short, fault)
        return None


def _is_there(model: Model) -> bool:
    return model.weights is None or all(path.is_file() for path in model.weights.paths)


def _draft_of(model: Model) -> Path | None:
    """What is wrong with a draft model is no fault of the model: it runs without."""
    if model.draft is None:
        return None
    try:
        draft = describe(model.draft.path)
        if draft.kind != "model" or draft.architecture in _HEADS:
            raise BadModelFile(f"{draft.architecture} does not run as a model of its own")
    except (OSError, BadModelFile) as fault:
        log.warning("%s runs without its draft model: %s", model.name.short, fault)
        return None
    return model.draft.path


def _header(
    model: Model,
) -> tuple[Header | None, Translation | None, OSError | BadModelFile | None]:
    if model.weights is None or model.config.model_format == "safetensors":
        return None, None, None
    try:
        header = read_joined(model.weights.paths)
        return header, translation_of(header, model.weights.path), None
    except (OSError, BadModelFile) as fault:
        return None, None, fault
