"""Which weights of a new model are rewritten: merged from several files, quantised, or both.

The work itself is that of `gguf` and `convert`. Facts: models spec, sections 15.3 and 16.1.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from puna.api.events import Progress
from puna.api.requests import CreateRequest
from puna.convert.quantize import Quantization, is_source, parse_level, quantize
from puna.errors import QuantError, StoreFull
from puna.gguf.describe import Description, describe, describe_parts
from puna.gguf.merge import Merge, plan_merge
from puna.models.blobs import Adopted
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.linking import Way
from puna.models.manifest import DRAFT, MODEL
from puna.service.building import ModelBuilder
from puna.service.splits import NO_DIGEST, merge_steps

__all__ = ["Quantizing", "Rewrite"]

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
                        digest=NO_DIGEST,
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
    merge: Merge | None = None


class Quantizing:
    """Notes what must be rewritten while a model is put together, and does it at the end."""

    def __init__(self, library: Library, order: CreateRequest) -> None:
        """Raises QuantError for what cannot be quantised to."""
        level = order.quantize or order.quantization
        self._library = library
        self._level = parse_level(level) if level else ""
        self._draft_level = parse_level(order.draft_quantize) if order.draft_quantize else ""
        self._planned: list[_Planned] = []

    @property
    def rewrites_model(self) -> bool:
        """Whether a model's weights cannot stay as they are."""
        return bool(self._level)

    def plan(self, media_type: str, digest: Digest, description: Description) -> Description:
        """Note a file of weights; returns its description as it will be. Raises QuantError."""
        level = self._level_for(media_type, description)
        return self._note(_Planned(digest, description, level)) if level else description

    def plan_parts(self, media_type: str, digest: Digest, paths: Sequence[Path]) -> Description:
        """Note the parts of a model, of which `digest` is the first; as `plan`.

        Raises BadModelFile for parts that do not belong together.
        """
        description, merge = describe_parts(paths), plan_merge(paths)
        level = self._level_for(media_type, description)
        return self._note(_Planned(digest, description, level, merge))

    def _level_for(self, media_type: str, description: Description) -> str:
        """What to quantise to, "" for nothing."""
        level = {MODEL: self._level, DRAFT: self._draft_level}.get(media_type, "")
        if level and not is_source(description.quantization):
            raise QuantError(_refusal(media_type, description.quantization))
        return level if level != description.quantization else ""

    def _note(self, planned: _Planned) -> Description:
        self._planned.append(planned)
        level, description = planned.level, planned.description
        return replace(description, file_type=level, quantization=level) if level else description

    def steps(self, builder: ModelBuilder) -> Generator[Progress | Rewrite, None, None]:
        """Put rewritten weights in the place of the planned ones."""
        blobs = self._library.blobs
        for each in self._planned:
            if each.merge is None:
                made = yield from self._quantize(each, blobs.path(each.digest))
            elif each.level:
                with blobs.elsewhere() as file, file.path.open("wb") as output:
                    yield from merge_steps(each.merge, output.write, blobs.folder)
                    output.flush()
                    made = yield from self._quantize(each, file.path)
            else:
                with blobs.writer() as writer:
                    yield from merge_steps(each.merge, writer.write, blobs.folder)
                    digest, is_new = writer.commit()
                    made = Adopted(digest, writer.size, Way.COPIED if is_new else Way.PRESENT)
            is_new = made.way is not Way.PRESENT
            builder.exchange(each.digest, made.digest, made.size, is_new=is_new)

    def _quantize(
        self, planned: _Planned, source: Path
    ) -> Generator[Progress | Rewrite, None, Adopted]:
        description = planned.description
        with self._library.blobs.elsewhere() as file:
            yield Rewrite(
                Quantization(
                    source,
                    file.path,
                    description.architecture,
                    description.quantization,
                    planned.level,
                ),
                description.file_size,
            )
            yield Progress(status="verifying conversion")
            describe(file.path)
            return file.take()


def _refusal(media_type: str, found: str) -> str:
    if media_type == DRAFT:
        return f"draft quantization requires an unquantized draft model, got {found}"
    return "quantization is only supported for F16, BF16 and F32 models"
