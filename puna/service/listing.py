"""The lists of installed and of loaded models. Facts: API spec, sections 11 and 12."""

from __future__ import annotations

from msgspec.structs import replace

from puna.api.responses import (
    Details,
    InstalledModel,
    QueueResponse,
    RunningModel,
    WaitingRequest,
)
from puna.fmt import rfc3339
from puna.scheduler.loop import Scheduler
from puna.scheduler.report import LoadedModel
from puna.service.catalog import Catalog, Entry
from puna.service.prepare import details_of

__all__ = ["Listing"]

_EMPTY = Details(
    parent_model="",
    format="",
    family="",
    families=None,
    parameter_size="",
    quantization_level="",
)


class Listing:
    """What is there, and what is in memory."""

    def __init__(self, catalog: Catalog, scheduler: Scheduler) -> None:
        self._catalog = catalog
        self._scheduler = scheduler

    async def tags(self) -> list[InstalledModel]:
        """Every installed model, the last modified first."""
        entries = await self._catalog.every()
        entries.sort(key=lambda entry: entry.model.stored.modified_ns, reverse=True)
        return [_installed(entry) for entry in entries]

    async def running(self) -> list[RunningModel]:
        """Every loaded model, the last to expire first."""
        return [_running(model) for model in self._scheduler.loaded()]

    async def queue(self) -> QueueResponse:
        """Who waits, the next first."""
        stats = self._scheduler.stats()
        rows = [
            WaitingRequest(
                position=row.position,
                model=row.name,
                priority=row.priority,
                waited_ms=int(row.waited * 1000),
                reason=row.reason,
            )
            for row in self._scheduler.queue()
        ]
        return QueueResponse(
            waiting=rows,
            limit=self._scheduler.max_queue,
            running=stats.running,
            loaded=stats.loaded,
            loading=stats.loading,
        )


def _installed(entry: Entry) -> InstalledModel:
    stored, config = entry.model.stored, entry.model.config
    description = entry.description
    return InstalledModel(
        name=stored.name.short,
        model=stored.name.short,
        remote_model=config.remote_model,
        remote_host=config.remote_host,
        modified_at=rfc3339(stored.modified_at, stored.nanosecond),
        size=stored.manifest.size,
        digest=stored.digest,
        details=replace(
            details_of(entry),
            context_length=config.context_length
            or (description.context_length if description else 0),
            embedding_length=config.embedding_length
            or (description.embedding_length if description else 0),
        ),
        capabilities=list(entry.capabilities),
    )


def _running(model: LoadedModel) -> RunningModel:
    details = model.details if isinstance(model.details, Details) else _EMPTY
    return RunningModel(
        name=model.name,
        model=model.name,
        size=model.info.size,
        digest=model.digest,
        details=replace(details, parent_model=""),
        expires_at=rfc3339(model.expires_at),
        size_vram=model.info.size_vram,
        context_length=model.n_ctx,
    )
