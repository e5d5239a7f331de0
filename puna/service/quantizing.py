"""Which weights of a new model are quantised, and to what. The work itself is convert's.

Facts: models spec, section 16.1.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from puna.api.events import Progress
from puna.api.requests import CreateRequest
from puna.convert.quantize import Quantization, is_source, parse_level, quantize
from puna.errors import QuantError, StoreFull
from puna.gguf.describe import Description, describe
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import DRAFT
from puna.service.building import ModelBuilder

__all__ = ["Quantizing", "Rewrite"]

_NO_DIGEST = "0000000000000000000"
"""What the reference puts where the digest is not known before the end."""

_FULL = 16 << 20  # bytes: less than a tensor's worth of room


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Work that takes long and belongs on the event loop: whoever runs the steps does it."""

    quantization: Quantization
    size: int

    async def run(self) -> AsyncGenerator[Progress, None]:
        """Do it, with an event for every tensor. Raises QuantError, StoreFull."""
        work = self.quantization
        status = f"quantizing {work.before} model to {work.level}"
        try:
            async with aclosing(quantize(work)) as fractions:
                async for fraction in fractions:
                    yield Progress(
                        status=status,
                        digest=_NO_DIGEST,
                        total=self.size,
                        completed=int(self.size * fraction),
                    )
        except QuantError as failure:
            folder = work.target.parent
            raise explain(failure, folder, shutil.disk_usage(folder).free) from failure


def explain(failure: QuantError, folder: Path, free: int) -> QuantError | StoreFull:
    """The failure, or that the disk is full, which libllama does not say."""
    if free < _FULL:
        return StoreFull(f"no space left on the disk of {folder}: free some and retry")
    return failure


@dataclass(frozen=True, slots=True)
class _Planned:
    digest: Digest
    description: Description
    level: str


class Quantizing:
    """Notes what must be quantised while a model is put together, and does it at the end."""

    def __init__(self, library: Library, order: CreateRequest) -> None:
        """Raises QuantError for what cannot be quantised to."""
        level = order.quantize or order.quantization
        self._library = library
        self._level = parse_level(level) if level else ""
        self._draft_level = parse_level(order.draft_quantize) if order.draft_quantize else ""
        self._planned: list[_Planned] = []

    def plan(self, media_type: str, digest: Digest, description: Description) -> Description:
        """Note a file of weights; returns its description as it will be. Raises QuantError."""
        level = self._draft_level if media_type == DRAFT else self._level
        if not level:
            return description
        if not is_source(description.quantization):
            raise QuantError(_refusal(media_type, description.quantization))
        if level == description.quantization:
            return description
        self._planned.append(_Planned(digest, description, level))
        return replace(description, file_type=level, quantization=level)

    def steps(self, builder: ModelBuilder) -> Generator[Progress | Rewrite, None, None]:
        """Put quantised weights in the place of the planned ones."""
        for each in self._planned:
            blobs = self._library.blobs
            with blobs.elsewhere() as file:
                description = each.description
                yield Rewrite(
                    Quantization(
                        blobs.path(each.digest),
                        file.path,
                        description.architecture,
                        description.quantization,
                        each.level,
                    ),
                    description.file_size,
                )
                yield Progress(status="verifying conversion")
                describe(file.path)
                made = file.take()
            builder.exchange(each.digest, made.digest, made.size)


def _refusal(media_type: str, found: str) -> str:
    if media_type == DRAFT:
        return f"draft quantization requires an unquantized draft model, got {found}"
    return "quantization is only supported for F16, BF16 and F32 models"
