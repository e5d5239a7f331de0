"""Which weights of a new model are rewritten: merged from several files, quantised, or both.

The work itself is that of `gguf` and `convert`. Facts: models spec, sections 15.3 and 16.1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from puna.api.events import Progress
from puna.api.requests import CreateRequest
from puna.convert.levels import check_matrix, parse_level
from puna.convert.quantize import Quantization, is_source, quantize
from puna.convert.working import explain, free_bytes
from puna.errors import BadRequest, ConvertError, QuantError
from puna.gguf.describe import Description, describe, describe_parts
from puna.gguf.merge import Merge, plan_merge
from puna.models.blobs import Adopted
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.linking import Way
from puna.models.manifest import DRAFT, MODEL, PROJECTOR
from puna.service.building import ModelBuilder
from puna.service.splits import NO_DIGEST, merge_steps

__all__ = ["Quantizing", "Work", "check_levels", "described"]


class Work(Protocol):
    """What takes long and belongs on the event loop: whoever runs the steps does it."""

    def run(self) -> AsyncGenerator[Progress, None]:
        """Do it, with events on the way."""


@dataclass(frozen=True, slots=True)
class _Rewrite:
    """A file of `size` bytes to be quantised."""

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
        except ConvertError as failure:
            folder = work.target.parent
            raise explain(failure, folder, free_bytes(folder)) from failure


@dataclass(frozen=True, slots=True)
class _Planned:
    digest: Digest
    description: Description
    level: str
    merge: Merge | None = None
    matrix: Path | None = None


def check_levels(order: CreateRequest) -> tuple[str, str]:
    """What the model and the draft are to be quantised to, "" for nothing.

    Raises QuantError for what cannot be quantised to, BadRequest for a matrix without use.
    """
    model, draft = order.quantize or order.quantization, order.draft_quantize
    level, draft_level = (parse_level(text) if text else "" for text in (model, draft))
    check_matrix(level, has_matrix=bool(order.imatrix))
    check_matrix(draft_level, has_matrix=False)
    if order.imatrix and not level:
        raise BadRequest("an importance matrix is of use only with quantize")
    return level, draft_level


class Quantizing:
    """Notes what must be rewritten while a model is put together, and does it at the end."""

    def __init__(self, library: Library, order: CreateRequest, matrix: Path | None = None) -> None:
        """`matrix` is the file of an importance matrix. Raises as `check_levels`."""
        self._library = library
        self._level, self._draft_level = check_levels(order)
        self._matrix = matrix
        self._planned: list[_Planned] = []

    @property
    def rewrites_model(self) -> bool:
        """Whether a model's weights cannot stay as they are."""
        return bool(self._level)

    def plan(self, media_type: str, digest: Digest, description: Description) -> Description:
        """Note a file of weights; returns its description as it will be. Raises QuantError."""
        level = self._level_for(media_type, description)
        planned = _Planned(digest, description, level, matrix=self._matrix_for(media_type))
        return self._note(planned) if level else description

    def plan_parts(self, media_type: str, digest: Digest, paths: Sequence[Path]) -> Description:
        """Note the parts of a model, of which `digest` is the first; as `plan`.

        Raises BadModelFile for parts that do not belong together.
        """
        description, merge = describe_parts(paths), plan_merge(paths)
        level = self._level_for(media_type, description)
        matrix = self._matrix_for(media_type)
        return self._note(_Planned(digest, description, level, merge, matrix))

    def _matrix_for(self, media_type: str) -> Path | None:
        return self._matrix if media_type == MODEL else None

    def _level_for(self, media_type: str, description: Description) -> str:
        """What to quantise to, "" for nothing."""
        level = {MODEL: self._level, DRAFT: self._draft_level}.get(media_type, "")
        if level and not is_source(description.quantization):
            raise QuantError(_refusal(media_type, description.quantization))
        return level if level != description.quantization else ""

    def _note(self, planned: _Planned) -> Description:
        self._planned.append(planned)
        return described(planned.description, planned.level)

    @property
    def matrix(self) -> Path | None:
        """The file of the importance matrix for the model."""
        return self._matrix

    def level_after_conversion(self, found: str, otherwise: str) -> str:
        """What to quantise a converted model of type `found` to, "" for nothing."""
        level = self._level or otherwise
        return level if level != found else ""

    def steps(self, builder: ModelBuilder) -> Generator[Progress | Work, None, None]:
        """Put rewritten weights in the place of the planned ones."""
        blobs = self._library.blobs
        for each in self._planned:
            if each.merge is None:
                source = blobs.path(each.digest)
                made = yield from self.rewrite(
                    each.description, source, each.level, each.matrix, builder
                )
            elif each.level:
                with blobs.elsewhere() as file, file.path.open("wb") as output:
                    yield from merge_steps(each.merge, output.write, blobs.folder)
                    output.flush()
                    made = yield from self.rewrite(
                        each.description, file.path, each.level, each.matrix, builder
                    )
            else:
                with blobs.writer() as writer:
                    yield from merge_steps(each.merge, writer.write, blobs.folder)
                    digest, is_new = writer.commit()
                    made = Adopted(digest, writer.size, Way.COPIED if is_new else Way.PRESENT)
            builder.exchange(each.digest, made)

    def rewrite(
        self,
        description: Description,
        source: Path,
        level: str,
        matrix: Path | None,
        builder: ModelBuilder,
    ) -> Generator[Progress | Work, None, Adopted]:
        """Quantise a file that is described so; returns the blob that it became.

        An encoder that was in it becomes a projector of the model that is built, unless that has
        one.
        """
        with self._library.blobs.elsewhere() as file:
            found = description.quantization
            work = Quantization(source, file.path, description.architecture, found, level, matrix)
            try:
                yield _Rewrite(work, description.file_size)
                yield Progress(status="verifying conversion")
                describe(file.path)
                if work.projector.exists() and not builder.has(PROJECTOR):
                    self._add_projector(work.projector, builder)
                return file.take()
            finally:
                work.projector.unlink(missing_ok=True)

    def _add_projector(self, path: Path, builder: ModelBuilder) -> None:
        with self._library.blobs.elsewhere() as encoder:
            path.replace(encoder.path)
            describe(encoder.path)
            builder.add_made(PROJECTOR, encoder.take())


def described(description: Description, level: str) -> Description:
    """The description as it is after quantising to a level, if to any. A file of the reference's
    own form keeps its architecture's name in it, whatever the engine calls it in the new file.
    """
    return replace(description, file_type=level, quantization=level) if level else description


def _refusal(media_type: str, found: str) -> str:
    if media_type == DRAFT:
        return f"draft quantization requires an unquantized draft model, got {found}"
    return "quantization is only supported for F16, BF16 and F32 models"
