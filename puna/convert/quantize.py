"""Weights with fewer bits: what can be asked for, and the child process that makes them.

Facts: models spec, section 16. The arithmetic is libllama's, in quantizer.py, which only the child
runs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from puna.convert.levels import FOUR_BITS, SOURCES
from puna.convert.working import Said, work_in_child
from puna.errors import QuantError
from puna.gguf.describe import Keys
from puna.gguf.reader import Header, read_header
from puna.gguf.tensors import TensorInfo
from puna.gguf.translation.registry import Translation, translation_of

__all__ = ["Order", "Quantization", "find_translation", "is_source", "quantize"]

_EMBEDDED = ("a.", "mm.", "mtp.", "s.", "v.")
"""Beginnings of tensor names: encoders and heads that stay as they are."""

_RECURRENT = {r"^blk\.[0-9]+\.nextn\.eh_proj\.weight$": "Q8_0"}
_TIED = {r"^token_embd\.weight$": "F16", r"^output\.weight$": "F16"}
_BETTER: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "qwen35": _RECURRENT,
        "qwen35moe": _RECURRENT,
        "gemma3n": {r"^per_layer_token_embd\.weight$": "F16"},
        "deepseek2": {
            rf"{name}\.weight$": "Q8_0"
            for name in ("attn_k_b", "attn_q_a", "attn_q_b", "attn_v_b", "attn_kv_a_mqa")
        },
        "glmocr": _TIED,
        "glm4": _TIED,
    }
)
"""Tensors, by architecture, that four bits would harm: what they get instead."""

_BETTER_8: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"bert": {r"^blk\.[0-9]+\.attn_v\.weight$": "F16"}}
)
"""The same for eight bits, where the engine rounds what such a matrix is multiplied by, too:
vectors of all-MiniLM-L6-v2 are further off by that than by the weights.
"""

CHILD = "puna.convert.quantizer"


class Order(msgspec.Struct, frozen=True):
    """What the child is to do. `overrides` are pairs of a pattern for tensors' names and a type;
    `matrix` is the file of an importance matrix, or "".

    A source that the engine cannot read is written in the engine's form first, to the file `text`,
    and the encoder that is in it to the file `projector`; "" where there is none.
    """

    source: str
    target: str
    level: str
    overrides: tuple[tuple[str, str], ...] = ()
    matrix: str = ""
    text: str = ""
    projector: str = ""


@dataclass(frozen=True, slots=True)
class Quantization:
    """Weights at `source` of type `before` to be written as `level` into the file `target`, with
    the importance matrix in the file `matrix` if there is one.
    """

    source: Path
    target: Path
    architecture: str
    before: str
    level: str
    matrix: Path | None = None

    @property
    def projector(self) -> Path:
        """Where the encoder is written that was in the file of a model, if there was one."""
        return self.target.with_name(f"{self.target.name}.projector")

    @property
    def text(self) -> Path:
        """What there is beside the target as long as the work takes, of some models."""
        return self.target.with_name(f"{self.target.name}.text")


def is_source(file_type: str) -> bool:
    """Whether weights of this type can be quantised: nothing was lost of them yet."""
    return file_type in SOURCES


async def quantize(work: Quantization) -> AsyncGenerator[float, None]:
    """Fill the target, and tell which fraction is done; who stops listening ends the work. The
    projector, if there is one, is there when all is done.

    Raises QuantError, OSError and BadModelFile for a source that cannot be read.
    """
    order = await asyncio.to_thread(_order, work)
    child = work_in_child(CHILD, order, "quantizer", QuantError, "quantize", Said)
    try:
        async with aclosing(child) as steps:
            async for said in steps:
                yield said.done / max(said.total, 1)
    finally:
        if order.text:
            await asyncio.to_thread(work.text.unlink, missing_ok=True)


def _order(work: Quantization) -> Order:
    header = read_header(work.source)
    translation = find_translation(header, work.source)
    told = translation.text.header if translation else header
    architecture = Keys(told.metadata).architecture if translation else work.architecture
    overrides = (*_kept(told.tensors).items(), *_better(architecture, work.level).items())
    return Order(
        str(work.source),
        str(work.target),
        work.level,
        overrides,
        str(work.matrix or ""),
        str(work.text) if translation else "",
        str(work.projector) if translation and translation.eye else "",
    )


def find_translation(header: Header, source: Path) -> Translation | None:
    """What is quantised in place of a file, None for the file itself: an encoder that nobody knows
    stays where it is. Raises QuantError where it cannot, BadModelFile.
    """
    translation = translation_of(header, source)
    if translation is None or translation.eye or not translation.why_blind:
        return translation
    before, after = (Keys(each.metadata).architecture for each in (header, translation.text.header))
    if before != after:
        raise QuantError(f"cannot quantize: {translation.why_blind}")
    return None


def _better(architecture: str, level: str) -> Mapping[str, str]:
    """Patterns of tensors that lose too much at the level, each with the type that they get."""
    if level == "Q8_0":
        return _BETTER_8.get(architecture, {})
    return _BETTER.get(architecture, {}) if level in FOUR_BITS else {}


def _kept(tensors: Iterable[TensorInfo]) -> dict[str, str]:
    """Patterns of the embedded encoders' tensors, each with the type that it has."""
    return {
        f"^{re.escape(tensor.name)}$": tensor.type_name
        for tensor in tensors
        if tensor.name.startswith(_EMBEDDED)
    }
