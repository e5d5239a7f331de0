"""The whole service over a real store, with fake engines and a clock that the test moves."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from puna.api.decode import read_value
from puna.api.events import Content, Done, Event, Progress, Rendered, Thinking
from puna.api.requests import (
    ChatRequest,
    CopyRequest,
    CreateRequest,
    DeleteRequest,
    EmbeddingsRequest,
    EmbedRequest,
    GenerateRequest,
    ShowRequest,
)
from puna.api.responses import InstalledModel, RunningModel, ShowResponse
from puna.config import Settings
from puna.errors import PunaError
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.name import Name
from puna.runner.fake import FakeLauncher
from puna.runner.protocol import Generation
from puna.scheduler.loop import Scheduler
from puna.service.catalog import Catalog
from puna.service.create import Create
from puna.service.embedding import Embed, Embedded, Vector
from puna.service.inference import Inference
from puna.service.listing import Listing
from puna.service.manage import Management
from puna.service.show import Show
from puna.service.upkeep import Upkeep
from tests.fakes.clock import FakeClock, settle
from tests.fakes.ggufs import Array, Tensor, Value, pack_gguf
from tests.fakes.pulls import nothing_to_pull

T = TypeVar("T")

STRING = 8
DAY = 86_400
"""By how much the world's housekeeping is ahead of the files, whose times cannot be set."""
JINJA = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
THINKING_JINJA = JINJA + "{% if false %}<think></think>{% endif %}"

HI = [{"role": "user", "content": "hi"}]


def tiny(
    *,
    template: str | None = None,
    n_ctx: int = 8192,
    arch: str = "llama",
    tensors: Sequence[str] = (),
    **more: Value,
) -> bytes:
    """A model file of 48 bytes of weights and further `tensors`. In `more`, `__` stands for a
    dot.
    """
    metadata: dict[str, Value] = {
        "general.architecture": arch,
        "general.name": "Tiny",
        "general.file_type": 1,
        f"{arch}.context_length": n_ctx,
        f"{arch}.embedding_length": 64,
        f"{arch}.block_count": 2,
        "tokenizer.ggml.tokens": Array(STRING, ["a", "b", "c"]),
    }
    if template is not None:
        metadata["tokenizer.chat_template"] = template
    metadata |= {key.replace("__", "."): value for key, value in more.items()}
    weights = [Tensor("token_embd.weight", (4, 2), data=b"\0" * 32), Tensor("out.weight")]
    return pack_gguf(metadata, [*weights, *map(Tensor, tensors)])


class World:
    """Every service over the store at `root`. Requests are given as a client would write them."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.library = Library(root)
        self.launcher = FakeLauncher(otherwise=("four",))
        self.clock = FakeClock()
        self.settings = settings
        self.scheduler = Scheduler(
            self.launcher,
            self.clock,
            keep_alive=settings.keep_alive,
            max_loaded=settings.max_loaded_models or 3,
            max_queue=settings.max_queue,
            load_timeout=300.0,
        )
        self.catalog = Catalog(self.library, go_template=settings.go_template)
        self.inference = Inference(self.catalog, self.scheduler, self.clock, settings)
        self.embedding = Embed(self.catalog, self.scheduler, self.clock, settings)
        self.listing = Listing(self.catalog, self.scheduler)
        self.management = Management(self.library)
        self.upkeep = Upkeep(self.library, self.scheduler.files, lambda: time.time() + DAY)

    def chatting(self, model: str = "m", **fields: Any) -> AsyncGenerator[Event, None]:
        return self.inference.chat(read_value(ChatRequest, {"model": model, **fields}))

    def generating(self, model: str = "m", **fields: Any) -> AsyncGenerator[Event, None]:
        return self.inference.generate(read_value(GenerateRequest, {"model": model, **fields}))

    async def chat(self, model: str = "m", **fields: Any) -> list[Event]:
        return [event async for event in self.chatting(model, **fields)]

    async def generate(self, model: str = "m", **fields: Any) -> list[Event]:
        return [event async for event in self.generating(model, **fields)]

    async def embed(self, model: str = "m", **fields: Any) -> Embedded:
        return await self.embedding.embed(read_value(EmbedRequest, {"model": model, **fields}))

    async def embeddings(self, model: str = "m", **fields: Any) -> Vector:
        order = read_value(EmbeddingsRequest, {"model": model, **fields})
        return await self.embedding.embeddings(order)

    async def create(self, model: str = "m", **fields: Any) -> list[str]:
        """Make a model and return what was reported."""
        order = read_value(CreateRequest, {"model": model, **fields})
        steps: AsyncIterator[Progress] = Create(
            self.library, self.settings, nothing_to_pull
        ).create(order)
        return [step.status async for step in steps]

    async def install(self, model: str = "m", gguf: bytes | None = None, **fields: Any) -> None:
        """Upload a model file and make a model of it."""
        digest = await self.upload(tiny(template=JINJA) if gguf is None else gguf)
        await self.create(model, files={"tiny.gguf": digest}, **fields)

    async def upload(self, data: bytes, digest: str | None = None) -> str:
        """Upload a blob; returns its digest."""
        digest = f"sha256:{sha(data)}" if digest is None else digest
        await self.management.upload_blob(digest, chunked(data))
        return digest

    async def tags(self) -> list[InstalledModel]:
        return await self.listing.tags()

    async def ps(self) -> list[RunningModel]:
        return await self.listing.running()

    async def show(self, user_agent: str = "", **fields: Any) -> ShowResponse:
        return await Show(self.catalog).show(read_value(ShowRequest, fields), user_agent)

    async def copy(self, source: str, destination: str) -> None:
        await self.management.copy(CopyRequest(source=source, destination=destination))

    async def delete(self, **fields: Any) -> None:
        await self.management.delete(read_value(DeleteRequest, fields))

    @property
    def order(self) -> Generation:
        """What an engine was asked last."""
        return self.launcher.orders[-1]

    @property
    def prompts(self) -> list[str]:
        return [order.prompt for order in self.launcher.orders]

    def files(self) -> dict[str, bytes]:
        """Every file in the store but its lock, and its content."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and "lock" not in path.name
        }

    def layers(self, model: str = "m") -> dict[str, list[str]]:
        """The model's layers: last word of the media type to digests."""
        layers: dict[str, list[str]] = {}
        for layer in self.library.read(Name.parse(model)).manifest.layers:
            layers.setdefault(layer.media_type.rpartition(".")[2], []).append(layer.digest.hex)
        return layers

    def config(self, model: str = "m") -> dict[str, Any]:
        config = self.library.read(Name.parse(model)).manifest.config
        assert config is not None
        value: dict[str, Any] = json.loads(self.blob(config.digest.hex))
        return value

    def blob(self, digest: str) -> bytes:
        return self.library.blobs.path(Digest(digest)).read_bytes()


@asynccontextmanager
async def world(root: Path, **settings: Any) -> AsyncIterator[World]:
    """Open a world over the store at `root`; its scheduler runs until the end."""
    place = World(root, Settings(**settings))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(place.scheduler.run())
        try:
            yield place
        finally:
            await settle()
            running.cancel()


def play(
    root: Path, scene: Callable[[World], Awaitable[T]], gguf: bytes | None = b"", **settings: Any
) -> T:
    """Run a scene in a world in which `m` is installed: with a chat template, of `gguf`, or not."""

    async def whole() -> T:
        async with asyncio.timeout(60), world(root / "models", **settings) as place:
            if gguf is not None:
                await place.install("m", gguf or None)
            return await scene(place)

    return asyncio.run(whole())


async def chunked(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def sha(content: str | bytes) -> str:
    """By which digits a blob of this content is known."""
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(raw).hexdigest()


async def complaint(work: Awaitable[object]) -> tuple[int, str]:
    """The status and the text of the error that a request ends in."""
    try:
        await work
    except PunaError as error:
        return error.status, str(error)
    raise AssertionError("nothing went wrong")


async def first(events: AsyncGenerator[Event, None]) -> Event:
    """The first event of an answer, whose client then leaves."""
    async with aclosing(events) as open_events:
        return await anext(open_events)


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Content))


def thoughts_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Thinking))


def rendered(events: list[Event]) -> str:
    """The prompt that a debug request shows, which is its only event."""
    (event,) = events
    assert isinstance(event, Rendered)
    return event.text


def ending(events: list[Event]) -> Done:
    last = events[-1]
    assert isinstance(last, Done)
    return last
