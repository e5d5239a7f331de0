"""Pulling a model from the Hugging Face Hub: files of its repository become the layers of a model.

Facts: models spec, section 11. The manifest is made here, as the Hub would make it for the
reference; the name on disk is the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from puna.api.events import Progress
from puna.api.options import merge_options
from puna.errors import (
    BadManifest,
    BadModelFile,
    BadRequest,
    Denied,
    NotInRegistry,
    RegistryError,
    StoreError,
)
from puna.gguf.describe import Description, describe, describe_parts
from puna.models.digest import Digest
from puna.models.layers import encode_params, parse_params
from puna.models.library import Library, Stored
from puna.models.manifest import MODEL, PROJECTOR, Layer
from puna.models.name import Name
from puna.models.registry.hub import Hub
from puna.models.registry.hub_files import Choice, HubFile, choose
from puna.service.building import ModelBuilder
from puna.service.fetching import Fetching
from puna.service.registries import Registries
from puna.threads import in_thread_to_the_end

__all__ = ["HubPlan", "HubPull"]

MAX_TEXT_BYTES = 4 * 1024 * 1024
_Steps = AsyncGenerator[Progress, None]


@dataclass(slots=True)
class HubPlan:
    """What a model is made of: its large files, and the texts beside them in the repository."""

    name: Name
    hub: Hub
    choice: Choice
    template: str = ""
    system: str = ""
    params: bytes = b""
    digests: dict[HubFile, Digest] = field(default_factory=dict)
    """The blobs of the large files, as they come in."""

    @property
    def files(self) -> list[tuple[str, HubFile]]:
        """Media types and files, in the order of the layers."""
        projector = self.choice.projector
        weights = [(MODEL, file) for file in self.choice.weights]
        return [*weights, *([(PROJECTOR, projector)] if projector else [])]


class HubPull:
    """Installs models from the Hub."""

    def __init__(self, library: Library, fetching: Fetching, registries: Registries) -> None:
        self._library = library
        self._fetching = fetching
        self._registries = registries

    async def plan(self, name: Name, *, insecure: bool) -> HubPlan:
        """Find out what to fetch, and fetch what is small.

        Raises Denied where the repository is closed to us, RegistryError.
        """
        return await _plan(self._registries.hub(name, insecure=insecure), name)

    async def install(self, plan: HubPlan) -> _Steps:
        """Install a model under its name; nothing is visible before all of it is there.

        Raises RegistryError, StoreError.
        """
        name, hub = plan.name, plan.hub
        known = {file.digest for _, file in plan.files if file.digest is not None}
        with contextlib.ExitStack() as stack:
            await in_thread_to_the_end(stack.enter_context, self._library.holding(known))
            for media_type, file in plan.files:
                async with aclosing(self._fetch(plan, media_type, file)) as progresses:
                    async for progress in progresses:
                        yield progress
            yield Progress(status="verifying sha256 digest")  # it was hashed while it came in
            yield Progress(status="writing manifest")
            stored = await in_thread_to_the_end(self._write, name, plan)
            origin = hub.origin_of(stored.digest)
            await in_thread_to_the_end(self._library.origins.note, stored.name, origin)

    async def is_current(self, stored: Stored, *, insecure: bool) -> bool:
        """Whether the repository's files are those of an installed model, as far as that is known
        without fetching them. Raises RegistryError.
        """
        plan = await self.plan(stored.name, insecure=insecure)
        digests = {file.digest for _, file in plan.files}
        texts = [text.encode() for text in (plan.template, plan.system) if text]
        if plan.params:
            texts.append(encode_params(parse_params(plan.params)))
        digests.update(Digest.of(text) for text in texts)
        return digests <= stored.manifest.digests

    async def _fetch(self, plan: HubPlan, media_type: str, file: HubFile) -> _Steps:
        """Have one file in the store, telling how far it is."""
        if file.digest is not None:
            layer = Layer(media_type, file.digest, file.size)
            async with aclosing(self._fetching.fetch(layer, plan.hub.source(file))) as progresses:
                async for progress in progresses:
                    yield progress
            plan.digests[file] = file.digest
            return
        yield Progress(status=f"pulling {file.name}")

        async def copy() -> Digest:
            with self._library.blobs.writer() as writer:
                await plan.hub.copy(file, writer)
                return (await in_thread_to_the_end(writer.commit)).digest

        plan.digests[file] = await plan.hub.retry.call(copy)

    def _write(self, name: Name, plan: HubPlan) -> Stored:
        builder = ModelBuilder(self._library)
        for media_type, file in plan.files:
            builder.add_file(media_type, plan.digests[file])
        builder.describe(self._describe(plan))
        builder.set_template(plan.template)
        builder.set_system(plan.system)
        if plan.params:
            builder.set_params(parse_params(plan.params))
        builder.store()
        return self._library.read(self._library.write(name, builder.finish()))

    def _describe(self, plan: HubPlan) -> Description:
        """What the weights are. Raises StoreError where the files are not what they should be."""
        paths = [self._library.blobs.path(plan.digests[file]) for file in plan.choice.weights]
        projector = plan.choice.projector
        try:
            description = describe_parts(paths)
            if description.kind != "model":
                raise BadModelFile(f"it is no model: {description.kind}")
            if projector is not None:
                describe(self._library.blobs.path(plan.digests[projector]))
        except BadModelFile as cause:
            names = ", ".join(file.path for _, file in plan.files)
            raise StoreError(f"{names[:300]} cannot be used: {cause}") from cause
        return description


async def _plan(hub: Hub, name: Name) -> HubPlan:
    try:
        files = await hub.files()
        plan = HubPlan(name, hub, choose(files, name.tag))
        plan.template = await _text(hub, files, "template")
        plan.system = await _text(hub, files, "system")
        plan.params = (await _text(hub, files, "params")).encode()
        _check_params(plan.params)
    except Denied:
        raise
    except NotInRegistry as cause:
        raise NotInRegistry(f"pull model manifest: {cause}") from cause
    except (RegistryError, BadModelFile, BadManifest, BadRequest) as cause:
        raise RegistryError(f"pull model manifest: {cause}") from cause
    return plan


async def _text(hub: Hub, files: Sequence[HubFile], path: str) -> str:
    """One of the repository's texts for models, "" where it has none."""
    file = next((file for file in files if file.path == path), None)
    if file is None or not file.size:
        return ""
    if file.size > MAX_TEXT_BYTES:
        raise RegistryError(f"{path} has {file.size} bytes, at most {MAX_TEXT_BYTES} are read")
    return (await hub.read(file, MAX_TEXT_BYTES)).decode("utf-8", "replace")


def _check_params(raw: bytes) -> None:
    if raw:
        merge_options(parse_params(raw))
