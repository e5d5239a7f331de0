"""The only place where concrete classes are chosen and joined."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from puna.api.media import MOST_IMAGE_BYTES
from puna.api.version import registry_user_agent
from puna.client.outside import Outside
from puna.client.transport import user_agent
from puna.config import Settings
from puna.errors import StoreError
from puna.fmt import human_bytes_binary
from puna.log import fields
from puna.models.library import Library
from puna.models.registry.auth import Authority
from puna.models.registry.key import KeyStore
from puna.models.registry.retry import Retry
from puna.models.registry.sharing import Transfers, Uploads
from puna.models.registry.transport import Transport
from puna.models.second import SecondStore
from puna.runner.launcher import ProcessLauncher
from puna.runner.probe import MachineProbe
from puna.runner.protocol import WarmPlan
from puna.runner.warm.home import WarmHome
from puna.scheduler.clock import SystemClock
from puna.scheduler.fit import Rules
from puna.scheduler.loop import Scheduler
from puna.server.image_urls import IMAGE_TYPES, FetchImage
from puna.server.services import Services
from puna.service.aliases import Aliases
from puna.service.catalog import Catalog
from puna.service.create import Create
from puna.service.embedding import Embed
from puna.service.inference import Inference
from puna.service.listing import Listing
from puna.service.manage import Management
from puna.service.pull import Pull
from puna.service.push import Push
from puna.service.registries import Registries
from puna.service.response_store import ResponseStore
from puna.service.show import Show
from puna.service.texts import Texts
from puna.service.update import Update
from puna.service.upkeep import Upkeep
from puna.threads import in_thread

__all__ = ["open_services"]

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Start what the services stand on and hand them out; leaving ends every runner.

    The body of the `with` runs inside the scheduler's task group: if the scheduler fails, so does
    the server.
    """
    library = await in_thread(_library, settings)
    await in_thread(_tidy, library, settings)
    async with (
        _warm_home(settings) as warm,
        ProcessLauncher(settings.load_timeout, warm, settings.step_timeout) as launcher,
        Transport(registry_user_agent()) as transport,
        Transfers(library.blobs) as transfers,
        Uploads() as uploads,
        _stored(settings) as stored,
        _outside(settings) as fetch_image,
        _probe() as probe,
        asyncio.TaskGroup() as tasks,
    ):
        clock = SystemClock()
        scheduler = Scheduler(
            launcher,
            clock,
            keep_alive=settings.keep_alive,
            max_loaded=settings.max_loaded_models,
            max_queue=settings.max_queue,
            load_timeout=settings.load_timeout,
            probe=probe,
            max_replicas=max(1, settings.max_replicas),
            rules=Rules(settings.context_length, settings.spread, settings.gpu_overhead),
        )
        running = [
            tasks.create_task(scheduler.run(), name="scheduler"),
            tasks.create_task(stored.tidy(), name="stored responses"),
            tasks.create_task(_tell_devices(probe), name="devices"),  # nobody waits for it yet
        ]
        try:
            registries = Registries(_authority(transport, settings), settings)
            pull = Pull(library, transfers, registries, settings)
            push = Push(library, uploads, registries, settings.max_transfer_streams)
            update = Update(library, registries, pull)
            services = _join(library, scheduler, clock, settings, pull, push, update, stored)
            yield replace(services, fetch_image=fetch_image)
        finally:
            for task in running:
                task.cancel()


@asynccontextmanager
async def _warm_home(settings: Settings) -> AsyncIterator[WarmPlan | None]:
    """Where prefixes stay while their model is not loaded."""
    disk = settings.kv_cache_dir.absolute() if settings.kv_cache_dir else None
    home = await in_thread(WarmHome, settings.kv_cache_ram, disk, settings.kv_cache_size)
    try:
        yield home.plan
    finally:
        await in_thread(home.close)


@asynccontextmanager
async def _stored(settings: Settings) -> AsyncIterator[ResponseStore]:
    """Where responses are kept that clients want to come back to."""
    path = settings.home / "responses.sqlite3"
    store = ResponseStore(path, settings.responses_size, settings.responses_age)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _outside(settings: Settings) -> AsyncIterator[FetchImage | None]:
    """The way to images that requests name by an address, where that is allowed."""
    if not settings.image_urls:
        yield None
        return
    async with Outside(user_agent(), settings.image_urls) as outside:

        async def fetch(url: str) -> bytes:
            return await outside.fetch(url, MOST_IMAGE_BYTES, IMAGE_TYPES)

        yield fetch


@asynccontextmanager
async def _probe() -> AsyncIterator[MachineProbe]:
    probe = MachineProbe()
    try:
        yield probe
    finally:
        await in_thread(probe.close)


async def _tell_devices(probe: MachineProbe) -> None:
    """A log line for each device to compute on (serving spec, section 8.1)."""
    free = await probe.free()
    for card in free.cards:
        facts = fields(
            id=card.id or card.index,
            library=card.library,
            compute=card.compute,
            name=card.name,
            description=card.description,
            driver=card.driver,
            type="integrated" if card.is_integrated else "discrete",
            total=human_bytes_binary(card.total),
            available=human_bytes_binary(card.free),
        )
        log.info("inference compute", extra=facts)
    if free.host is not None and not free.cards:
        total, available = free.host.total, free.host.available
        facts = fields(
            id="cpu",
            library="cpu",
            total=human_bytes_binary(total),
            available=human_bytes_binary(available),
        )
        log.info("inference compute", extra=facts)


def _library(settings: Settings) -> Library:
    """The store, and the second one unless it is the same."""
    second = settings.second_store
    if second is None or second.resolve() == settings.models_dir.resolve():
        return Library(settings.models_dir)
    return Library(settings.models_dir, SecondStore(second))


def _authority(transport: Transport, settings: Settings) -> Authority:
    """How registries get to know us: by Puna's key, or one that is there from the reference."""
    keys = KeyStore([settings.home, Path("~/.ollama").expanduser()])
    return Authority(transport, keys, Retry(), settings.registry_realms)


def _join(
    library: Library,
    scheduler: Scheduler,
    clock: SystemClock,
    settings: Settings,
    pull: Pull,
    push: Push,
    update: Update,
    stored: ResponseStore,
) -> Services:
    catalog = Catalog(library, go_template=settings.go_template)
    aliases = Aliases(catalog, settings.model_aliases)
    inference = Inference(catalog, scheduler, clock, settings)
    embedding = Embed(catalog, scheduler, clock, settings)
    texts = Texts(catalog, scheduler, clock, settings)
    listing = Listing(catalog, scheduler)
    management = Management(library)
    upkeep = Upkeep(library, scheduler.files)
    return Services(
        chat=inference.chat,
        generate=inference.generate,
        count_tokens=inference.count_tokens,
        embed=embedding.embed,
        embeddings=embedding.embeddings,
        rerank=texts.rerank,
        tokenize=texts.tokenize,
        detokenize=texts.detokenize,
        tags=listing.tags,
        running=listing.running,
        queue=listing.queue,
        show=Show(catalog).show,
        copy=management.copy,
        delete=management.delete,
        has_blob=management.has_blob,
        upload_blob=management.upload_blob,
        create=Create(library, settings, pull.pull).create,
        store=upkeep.store,
        prune=upkeep.prune,
        verify=upkeep.verify,
        pull=pull.pull,
        push=push.push,
        update=update.update,
        local_name=aliases.resolve,
        aliases=aliases.listed,
        metrics=scheduler.metrics,
        stored=stored,
    )


def _tidy(library: Library, settings: Settings) -> None:
    """What a start repairs in the store. A store that cannot be changed can still be served."""
    try:
        library.repair_blob_names()
        if not settings.no_prune:
            library.prune(time.time())
    except (StoreError, OSError) as cause:
        log.warning("the model store was not tidied: %s", cause)
