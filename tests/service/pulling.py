"""Pulls and pushes by the whole service with a real store, without pauses between attempts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from puna.api.decode import read_value
from puna.api.events import Progress
from puna.api.requests import PullRequest, PushRequest
from puna.api.upkeep import Updated, UpdateRequest
from puna.config import Settings
from puna.models.digest import Digest
from puna.models.journal import Journal
from puna.models.library import Library
from puna.models.registry.auth import Authority
from puna.models.registry.key import KeyStore
from puna.models.registry.retry import Retry
from puna.models.registry.sharing import Transfers, Uploads
from puna.models.registry.transfer import Division
from puna.models.registry.transport import Transport
from puna.models.registry.upload import PartSizes
from puna.models.second import SecondStore
from puna.service.pull import Pull
from puna.service.push import Push
from puna.service.registries import Registries
from puna.service.update import Update
from tests.fakes.registry_client import digest_of, pack_model

T = TypeVar("T")

UNIT = 16 * 1024
SMALL_PARTS = Division(
    UNIT, span_bytes=8 * UNIT, stream_bytes=4 * UNIT, streams=4, unit_seconds=0.5
)
PART = 8 * UNIT

SMALL = pack_model(("model", b"weights" * 1000), ("system", b"Be kind."))
WEIGHTS = bytes(range(251)) * (100 * UNIT // 251)
LARGE = pack_model(("model", WEIGHTS))
LARGE_DIGEST = digest_of(WEIGHTS)
PARTIAL = f"{LARGE_DIGEST.replace(':', '-')}-partial"


@dataclass
class Puller:
    """A store, and pulls into it and pushes from it. `pauses` are those that there would have
    been.
    """

    library: Library
    service: Pull
    pushing: Push
    updating: Update
    pauses: list[float] = field(default_factory=list)

    def start(self, model: str, **fields: Any) -> AsyncGenerator[Progress, None]:
        """A pull over plain http, unless the fields say otherwise."""
        order = {"model": model, "insecure": True, **fields}
        return self.service.pull(read_value(PullRequest, order))

    async def pull(self, model: str, **fields: Any) -> list[Progress]:
        """Pull to the end, and check every blob that is in the store."""
        steps = [step async for step in self.start(model, **fields)]
        verify(self.library)
        return steps

    def start_push(self, model: str, **fields: Any) -> AsyncGenerator[Progress, None]:
        """A push over plain http, unless the fields say otherwise."""
        order = {"model": model, "insecure": True, **fields}
        return self.pushing.push(read_value(PushRequest, order))

    async def push(self, model: str, **fields: Any) -> list[Progress]:
        """Push to the end."""
        return [step async for step in self.start_push(model, **fields)]

    async def update(self, *models: str, **fields: Any) -> dict[str, Updated]:
        """What became of these models, or of all, by their names."""
        order = read_value(UpdateRequest, {"models": list(models), **fields})
        steps = [step async for step in self.updating.update(order)]
        verify(self.library)
        return {step.model: step for step in steps if isinstance(step, Updated)}

    @property
    def files(self) -> set[str]:
        """What lies among the blobs."""
        folder = self.library.blobs.folder
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def verify(library: Library) -> None:
    """Every blob of every installed model is there and has its digest."""
    for stored in library.entries():
        for layer in stored.manifest.blobs:
            assert Digest.of(library.blobs.path(layer.digest).read_bytes()) == layer.digest


@asynccontextmanager
async def puller(root: Path, stall_seconds: float = 5.0, **settings: Any) -> AsyncIterator[Puller]:
    """Open a store at `root`. Attempts follow one another at once."""
    library = Library(root / "models", SecondStore(root / "second"))
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with (
        Transport("ollama/0.0.0 (test)", stall_seconds) as transport,
        Transfers(library.blobs, SMALL_PARTS) as transfers,
        Uploads(PartSizes(least=PART, most=PART, elsewhere=2)) as uploads,
    ):
        given = Settings(**{"home": root / "home", "docker_config": root / "none", **settings})
        keys = KeyStore([given.home])
        authority = Authority(transport, keys, Retry(sleep=pause), given.registry_realms)
        registries = Registries(authority, given)
        pull = Pull(library, transfers, registries, given)
        push, update = Push(library, uploads, registries), Update(library, registries, pull)
        yield Puller(library, pull, push, update, pauses)


def words(steps: list[Progress]) -> list[str]:
    """The statuses, each once where it repeats."""
    statuses = [step.status for step in steps]
    return [word for at, word in enumerate(statuses) if at == 0 or word != statuses[at - 1]]


def noted_units(library: Library, data: bytes) -> set[int]:
    """The units of a blob with this content that are noted as fetched."""
    path = library.blobs.folder / f"{Digest.of(data).file_name}-partial.units"
    return set(Journal(path, len(data), UNIT).load())


class Asked(Protocol):
    """A request as a server has seen it."""

    @property
    def headers(self) -> dict[str, str]: ...


def asked_units(requests: Iterable[Asked]) -> set[int]:
    """The units of a blob that these requests asked for, each by a range."""
    units: set[int] = set()
    for seen in requests:
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", seen.headers.get("range", ""))
        assert span is not None
        units.update(range(int(span[1]) // UNIT, int(span[2]) // UNIT + 1))
    return units


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def play(root: Path, scene: Callable[[Puller], Awaitable[T]], **more: Any) -> T:
    """Run a scene with a store at `root`."""

    async def whole() -> T:
        async with asyncio.timeout(60), puller(root, **more) as place:
            return await scene(place)

    return asyncio.run(whole())
