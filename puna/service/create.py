"""Making a model: from uploaded files or from an installed one, step by step with progress.

Facts: API spec, section 17; models spec, section 15.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import aclosing, suppress

from puna.api.events import Progress
from puna.api.requests import CreateRequest, PullRequest
from puna.config import Settings
from puna.convert.conversion import convert
from puna.errors import (
    BadManifest,
    BadRequest,
    InvalidDigest,
    InvalidName,
    ModelNotFound,
    Unsupported,
)
from puna.gguf.describe import Description, describe, describe_parts
from puna.gguf.reader import is_gguf
from puna.models.checkpoint_files import is_checkpoint
from puna.models.digest import Digest
from puna.models.layers import Weights, load_model
from puna.models.library import Library
from puna.models.manifest import ADAPTER, DRAFT, MODEL, PROJECTOR, Manifest
from puna.models.name import Name, Source, split_source
from puna.models.workspace import is_relative
from puna.service.building import ModelBuilder
from puna.service.converting import Convert, Converting, are_checkpoint
from puna.service.defaults import set_defaults, set_stop
from puna.service.quantizing import Quantizing, Work, check_levels
from puna.service.splits import Given, group_parts, is_stored
from puna.threads import in_thread, in_thread_to_the_end

__all__ = ["Create"]

_MEDIA_TYPES = {"model": MODEL, "projector": PROJECTOR, "adapter": ADAPTER}
_KINDS = {ADAPTER: ADAPTER, DRAFT: MODEL}
"""What a file must be that is added to a model."""

_Step = Progress | Work
_Steps = Generator[_Step, None, None]
_Pull = Callable[[PullRequest], AsyncIterator[Progress]]


class Create:
    """Answers create requests."""

    def __init__(
        self, library: Library, settings: Settings, pull: _Pull, convert: Convert = convert
    ) -> None:
        """`pull` fetches a model to build upon that is not here."""
        self._library = library
        self._converting = Converting(library, convert)
        self._settings = settings
        self._pull = pull

    async def create(self, order: CreateRequest) -> AsyncGenerator[Progress, None]:
        """Make a model. Nothing is visible before all its blobs are there and checked.

        Raises BadRequest and its kin before the first event for what is wrong in the request.
        """
        name = _check(order)
        if order.from_ and not await in_thread(self._has, order.from_):
            async for pulled in self._pull(PullRequest(model=order.from_)):
                yield pulled
        steps = self._steps(name, order)
        try:
            while (step := await in_thread(next, steps, None)) is not None:
                if isinstance(step, Progress):
                    yield step
                    continue
                async with aclosing(step.run()) as events:
                    async for progress in events:
                        yield progress
        finally:
            with suppress(ValueError):  # a thread is at a step: what it gives then is for nobody
                await in_thread_to_the_end(steps.close)

    def _has(self, raw: str) -> bool:
        """Whether a model to build upon is here, or is none that could be pulled."""
        try:
            reference = split_source(raw)
            name = Name.parse(reference.base)
        except InvalidName:
            return True  # which is told later
        if reference.source is not Source.UNSPECIFIED:
            return True
        try:
            self._library.read(name)
        except ModelNotFound:
            return False
        return True

    def _steps(self, name: Name, order: CreateRequest) -> _Steps:
        """The whole work, blocking: every event is a place where it may be abandoned."""
        with self._library.holding(self._sources(order)):
            superseded = yield from self._make(name, order)
        if not self._settings.no_prune:
            self._library.remove_unreferenced(superseded)
        yield Progress(status="success")

    def _sources(self, order: CreateRequest) -> set[Digest]:
        """The blobs that the new model may be made of; what is wrong with them is told later."""
        digests = set()
        matrix = {"": order.imatrix} if order.imatrix else {}
        for files in (order.files, order.adapters, order.draft_files, matrix):
            for text in (files or {}).values():
                with suppress(InvalidDigest):
                    digests.add(Digest.parse(text))
        if order.from_:
            with suppress(InvalidName, ModelNotFound, OSError):
                name = Name.parse(split_source(order.from_).base)
                digests |= self._library.read(name).manifest.digests
        return digests

    def _make(self, name: Name, order: CreateRequest) -> Generator[_Step, None, frozenset[Digest]]:
        """Install the model; returns the blobs of what had its name before."""
        matrix = self._library.blobs.path(self._uploaded(order.imatrix)) if order.imatrix else None
        quantizing = Quantizing(self._library, order, matrix)
        with ModelBuilder(self._library) as builder:
            yield from self._base(builder, quantizing, order)
            yield from self._adapter(builder, quantizing, order.adapters or {})
            yield from self._drafts(builder, quantizing, order.draft_files or {})
            _apply(builder, order)
            yield from quantizing.steps(builder)
            builder.store()
            for layer in builder.layers:
                verb = "creating new" if layer.digest in builder.created else "using existing"
                yield Progress(status=f"{verb} layer {layer.digest}")
            manifest = builder.finish()
            yield Progress(status="writing manifest")
            return self._install(name, manifest)

    def _base(self, builder: ModelBuilder, quantizing: Quantizing, order: CreateRequest) -> _Steps:
        if order.from_:
            self._inherit(builder, quantizing, order.from_)
        elif order.files is None:
            raise BadRequest("neither 'from' or 'files' was specified")
        else:
            yield from self._files(builder, quantizing, order)

    def _inherit(self, builder: ModelBuilder, quantizing: Quantizing, raw: str) -> None:
        try:
            reference = split_source(raw)
            name = Name.parse(reference.base)
        except InvalidName:
            raise InvalidName from None
        if reference.source is Source.CLOUD:
            raise Unsupported("remote models are not supported")
        try:
            parent = load_model(self._library, name)
        except ModelNotFound:
            raise ModelNotFound(raw) from None
        builder.inherit(parent)
        if parent.weights and parent.weights.more:
            self._inherit_parts(builder, quantizing, parent.weights)
            return
        for layer in parent.stored.manifest.of_type(MODEL):
            description = describe(self._library.blobs.path(layer.digest))
            builder.describe(quantizing.plan(MODEL, layer.digest, description))

    def _inherit_parts(
        self, builder: ModelBuilder, quantizing: Quantizing, weights: Weights
    ) -> None:
        """Keep a model's parts as they are, unless they are rewritten, which makes one of them."""
        if not quantizing.rewrites_model:
            builder.describe(describe_parts(weights.paths))
            return
        builder.drop({part.digest for part in weights.more})
        builder.describe(quantizing.plan_parts(MODEL, weights.digest, weights.paths))

    def _files(self, builder: ModelBuilder, quantizing: Quantizing, order: CreateRequest) -> _Steps:
        if not order.files:
            raise BadRequest("unknown type")
        given = []
        digests = {name: self._uploaded(text) for name, text in sorted(order.files.items())}
        if self._are_checkpoint(digests):
            # what else is wrong is found before the work
            _apply(ModelBuilder(self._library), order)
            yield from self._converting.add_model(builder, quantizing, digests, order.allow_pickle)
            return
        for file_name, digest in digests.items():
            path = self._library.blobs.path(digest)
            if not is_gguf(path):
                if file_name.endswith(".gguf"):
                    raise BadRequest("supplied file was not in GGUF format")
                raise BadRequest("unknown type")
            yield Progress(status="parsing GGUF")
            description = describe(path)
            given.append(Given(file_name, digest, description, _MEDIA_TYPES[description.kind]))
        for parts in group_parts(given):
            if parts[0].media_type == MODEL:
                set_stop(builder, parts[0].description)
            is_kept = order.keep_parts or is_stored(parts[0].file_name)
            if is_kept and parts[0].media_type == MODEL and not quantizing.rewrites_model:
                self._add_parts(builder, parts)
            else:
                self._add(builder, quantizing, parts)

    def _add_parts(self, builder: ModelBuilder, parts: list[Given]) -> None:
        """Add a model's files as they are, each a layer."""
        for part in parts:
            builder.add_file(part.media_type, part.digest, part.file_name)
        builder.describe(parts[0].description if len(parts) == 1 else self._describe(parts))

    def _add(self, builder: ModelBuilder, quantizing: Quantizing, parts: list[Given]) -> None:
        """Add a file as one layer, to be made of its parts if it has some."""
        first, description = parts[0], parts[0].description
        if len(parts) > 1:
            paths = [self._library.blobs.path(part.digest) for part in parts]
            builder.add_file(first.media_type, first.digest)
            description = quantizing.plan_parts(first.media_type, first.digest, paths)
        else:
            builder.add_file(first.media_type, first.digest, first.file_name)
            if first.media_type in {MODEL, DRAFT}:
                description = quantizing.plan(first.media_type, first.digest, description)
        if first.media_type == MODEL:
            builder.describe(description)

    def _are_checkpoint(self, files: Mapping[str, Digest]) -> bool:
        paths = {name: self._library.blobs.path(digest) for name, digest in files.items()}
        return are_checkpoint(paths)

    def _describe(self, parts: list[Given]) -> Description:
        return describe_parts([self._library.blobs.path(part.digest) for part in parts])

    def _adapter(
        self, builder: ModelBuilder, quantizing: Quantizing, adapters: Mapping[str, str]
    ) -> _Steps:
        if not adapters:
            return
        if len(adapters) > 1 and not any(map(is_checkpoint, adapters)):
            raise BadRequest("only one adapter is currently supported")
        if not builder.has_weights:
            raise BadRequest("no base model was found")
        digests = {name: self._uploaded(text) for name, text in sorted(adapters.items())}
        if self._are_checkpoint(digests):
            yield from self._converting.add_adapter(builder, digests)
            return
        yield from self._ggufs(builder, quantizing, ADAPTER, adapters)

    def _drafts(
        self, builder: ModelBuilder, quantizing: Quantizing, drafts: Mapping[str, str]
    ) -> _Steps:
        if drafts and not builder.has_weights:
            raise BadRequest("no base model was found")
        if any(name.endswith(".safetensors") for name in drafts):
            raise Unsupported("a draft of safetensors files cannot be converted: give a GGUF file")
        yield from self._ggufs(builder, quantizing, DRAFT, drafts)

    def _ggufs(
        self,
        builder: ModelBuilder,
        quantizing: Quantizing,
        media_type: str,
        files: Mapping[str, str],
    ) -> _Steps:
        """Add uploaded files that must be GGUF."""
        given = []
        for file_name, text in sorted(files.items()):
            digest = self._uploaded(text)
            path = self._library.blobs.path(digest)
            if not is_gguf(path):
                raise BadRequest("supplied file was not in GGUF format")
            yield Progress(status="parsing GGUF")
            description = describe(path)
            if _MEDIA_TYPES.get(description.kind) != _KINDS[media_type]:
                wanted = "a model" if media_type == DRAFT else "an adapter"
                raise BadRequest(f"{file_name} is not {wanted} but of kind {description.kind}")
            given.append(Given(file_name, digest, description, media_type))
        for parts in group_parts(given):
            if media_type == DRAFT:
                builder.set_draft(parts[0].description.architecture)
            self._add(builder, quantizing, parts)

    def _uploaded(self, text: str) -> Digest:
        """The digest of a file that is in the store. Raises BadRequest where it is not."""
        digest = Digest.parse(text)
        if not self._library.blobs.has(digest):
            raise BadRequest(
                f"open {digest.file_name}: no such file or directory: "
                "upload the blob before creating the model"
            )
        return digest

    def _install(self, name: Name, manifest: Manifest) -> frozenset[Digest]:
        try:
            before = self._library.read(name).manifest.digests
        except (ModelNotFound, BadManifest):
            before = frozenset()
        self._library.write(name, manifest)
        return before - manifest.digests


def _apply(builder: ModelBuilder, order: CreateRequest) -> None:
    """What the request adds to its source, in the order in which layers are written."""
    builder.set_template(order.template)
    builder.set_system(order.system)
    builder.add_licenses(_licenses(order.license))
    builder.set_runtime(
        renderer=order.renderer, parser=order.parser, requires=order.requires.removeprefix("v")
    )
    set_defaults(builder)
    builder.set_params(order.parameters)
    builder.set_messages(order.messages)
    builder.set_info(order.info)


def _check(order: CreateRequest) -> Name:
    """The name, when everything that can be checked at once is right (API spec, 17.2)."""
    for files in (order.files, order.draft_files):
        for file_name, digest in (files or {}).items():
            if not is_relative(file_name):
                raise BadRequest("file path must be relative")
            if not digest:
                raise InvalidDigest
    if order.draft_quantize and not order.draft_files:
        raise BadRequest("--draft-quantize requires a DRAFT model")
    if any(not digest for digest in (order.adapters or {}).values()):
        raise InvalidDigest
    name = Name.parse(order.target)
    check_levels(order)
    if order.remote_host:
        raise Unsupported("remote models are not supported")
    return name


def _licenses(value: object) -> list[str]:
    match value:
        case None | "":
            return []
        case str():
            return [value]
        case list() if all(isinstance(item, str) for item in value):
            return [item for item in value if item]
    raise BadRequest("license must be a string or a list of strings")
