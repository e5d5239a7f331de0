"""Weights of other forms for a new model: checkpoints and adapters in safetensors become GGUF.

The work itself is that of `convert`, in a process of its own. Facts: models spec, sections 15.3 and
17; conversion spec, section 1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from puna.api.events import Progress
from puna.convert.conversion import Conversion, Said
from puna.convert.working import explain, free_bytes
from puna.errors import BadRequest, ConverterFailed, ConvertError, PunaError
from puna.gguf.describe import Description, Keys, describe
from puna.gguf.reader import is_gguf, read_header
from puna.models.blobs import Elsewhere
from puna.models.checkpoint_files import is_checkpoint
from puna.models.digest import Digest
from puna.models.library import Library
from puna.models.manifest import ADAPTER, MODEL, PROJECTOR
from puna.models.workspace import file_tree
from puna.service.building import ModelBuilder
from puna.service.defaults import set_stop
from puna.service.quantizing import Quantizing, Work, described
from puna.service.splits import NO_DIGEST

__all__ = ["Convert", "Converting", "are_checkpoint"]

Convert = Callable[[Conversion], AsyncGenerator[Said, None]]
"""Fills the target, and tells how far it is; who stops listening ends the work."""

_FP8 = "hf_fp8"  # what the source's weights were, which is worth eight bits by itself
_Steps = Generator[Progress | Work, None, None]


def are_checkpoint(files: Mapping[str, Path]) -> bool:
    """Whether these files, of these names, are a checkpoint and not GGUF.

    Raises BadRequest for a mixture.
    """
    is_described = any(name.endswith("config.json") for name in files)
    weights = [
        name
        for name, path in files.items()
        if name.endswith(".safetensors")
        or (is_described and is_checkpoint(name) and not is_gguf(path))
    ]
    if weights and any(name.endswith(".gguf") for name in files):
        raise BadRequest("GGUF files and safetensors files cannot be one model")
    return bool(weights)


@dataclass(frozen=True, slots=True)
class _Converted:
    """Work for the event loop, of which `size` bytes are read."""

    convert: Convert
    conversion: Conversion
    size: int

    async def run(self) -> AsyncGenerator[Progress, None]:
        """Do it, with events on the way. Raises ConvertError, StoreFull."""
        status = f"converting {self.conversion.kind}"
        try:
            async with aclosing(self.convert(self.conversion)) as steps:
                async for said in steps:
                    if said.total:
                        done = self.size * said.done // said.total
                        yield Progress(
                            status=status, digest=NO_DIGEST, total=self.size, completed=done
                        )
        except ConvertError as failure:
            folder = self.conversion.target.parent
            raise explain(failure, folder, free_bytes(folder)) from failure


class Converting:
    """Adds what has to be converted to models under construction."""

    def __init__(self, library: Library, convert: Convert) -> None:
        self._library = library
        self._convert = convert

    def add_model(
        self,
        builder: ModelBuilder,
        quantizing: Quantizing,
        files: Mapping[str, Digest],
        allow_pickle: bool,
    ) -> _Steps:
        """Convert a checkpoint, quantise it if that is asked for, and add its layers.

        Raises BadRequest for what the files' names are, and what the work raises.
        """
        with self._made("model", files, allow_pickle=allow_pickle) as (work, made, projector):
            yield Progress(status="converting model")
            yield work
            description = _describe(made, "model")
            wanted = "Q8_0" if _was_fp8(made.path) else ""
            level = quantizing.level_after_conversion(description.quantization, wanted)
            if level:
                adopted = yield from quantizing.rewrite(
                    description, made.path, level, quantizing.matrix, builder
                )
                description = described(description, level)
            else:
                adopted = made.take()
            set_stop(builder, description)
            builder.add_made(MODEL, adopted)
            builder.describe(description)
            if projector.exists():
                with self._library.blobs.elsewhere() as encoders:
                    projector.replace(encoders.path)
                    _describe(encoders, "projector")
                    builder.add_made(PROJECTOR, encoders.take())

    def add_adapter(self, builder: ModelBuilder, files: Mapping[str, Digest]) -> _Steps:
        """Convert an adapter for the model's weights, and add its layer. Raises as `add_model`."""
        base = next(layer for layer in builder.layers if layer.media_type == MODEL)
        path = self._library.blobs.path(base.digest)
        with self._made("adapter", files, path) as (work, made, _):
            yield Progress(status="converting adapter")
            yield work
            _describe(made, "adapter")
            builder.add_made(ADAPTER, made.take())

    @contextmanager
    def _made(
        self,
        kind: Literal["model", "adapter"],
        files: Mapping[str, Digest],
        base: Path | None = None,
        *,
        allow_pickle: bool = False,
    ) -> Iterator[tuple[_Converted, Elsewhere, Path]]:
        """The work to do, the file that it fills, and the one that it may make for encoders."""
        blobs = self._library.blobs
        size = sum(blobs.refresh(digest) for digest in files.values())
        paths = {name: blobs.path(digest) for name, digest in files.items()}
        with file_tree(self._library.root, paths) as folder, blobs.elsewhere() as made:
            conversion = Conversion(kind, folder, made.path, base=base, allow_pickle=allow_pickle)
            try:
                yield _Converted(self._convert, conversion, size), made, conversion.projector
            finally:
                conversion.projector.unlink(missing_ok=True)


def _describe(made: Elsewhere, kind: str) -> Description:
    """What was made, checked by the strict reader. Raises ConvertError."""
    try:
        description = describe(made.path)
    except PunaError as wrong:
        raise ConverterFailed(f"the conversion made a file that cannot be read: {wrong}") from wrong
    if description.kind != kind:
        raise ConverterFailed(f"the conversion made a file of kind {description.kind}, not {kind}")
    return description


def _was_fp8(path: Path) -> bool:
    """Whether the weights had eight bits before they were converted to sixteen."""
    return Keys(read_header(path).metadata).find("source_quantization") == _FP8
