"""A translation under way: begins as the source is, and is changed key by key, tensor by tensor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from puna.errors import BadModelFile, quoted
from puna.gguf.describe import Keys
from puna.gguf.reader import Header, read_first
from puna.gguf.tensors import TensorInfo
from puna.gguf.translation.target import Kept, Key, Made, Span, Target
from puna.gguf.types import PAIRED_MXFP4, TENSOR_TYPES, TYPE_NUMBERS
from puna.gguf.values import ArrayInfo

__all__ = ["Draft", "Source", "check_parts"]

_FEW = 1024  # tokens
_MOST_BLOCKS = 1 << 12
_MOST_PARTS = 1 << 18
_TOKENS = ("tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type")


class Source:
    """The file that is translated. What is asked for and is not there is a BadModelFile."""

    def __init__(self, header: Header, path: Path) -> None:
        self.header = header
        self.path = path
        self.keys = Keys(header.metadata)
        self.tensors: Mapping[str, TensorInfo] = {each.name: each for each in header.tensors}

    @property
    def architecture(self) -> str:
        """The file's own name for it."""
        return self.keys.architecture

    def has(self, *beginnings: str) -> bool:
        """Whether there is a tensor whose name begins so."""
        return any(name.startswith(beginnings) for name in self.tensors)

    def need(self, name: str, otherwise: int | None = None) -> int:
        """A whole number of the architecture's."""
        value = self.keys.whole(name)
        if value is None:
            value = otherwise
        if value is None:
            raise BadModelFile(f"key {quoted(f'{self.architecture}.{name}')} is missing")
        return value

    def count(self, name: str) -> int:
        """How many blocks or the like there are: few enough to go through them."""
        count = self.need(name)
        if count > _MOST_BLOCKS:
            raise BadModelFile(f"{name} {count} is over the limit of {_MOST_BLOCKS}")
        return count

    def real(self, name: str, otherwise: float) -> float:
        """A number of the architecture's, if it is one."""
        value = self.keys.find(name)
        number = float(value) if isinstance(value, int | float) else math.nan
        return number if math.isfinite(number) else otherwise

    def wholes(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers of the architecture's; empty where there is none."""
        value = self.keys.find(name)
        return tuple(map(int, value)) if isinstance(value, tuple) and _are_numbers(value) else ()

    def reals(self, name: str) -> tuple[float, ...]:
        """A list of numbers of the architecture's; empty where there is none."""
        value = self.keys.find(name)
        return tuple(map(float, value)) if isinstance(value, tuple) and _are_numbers(value) else ()

    def find_token(self, text: str) -> int | None:
        """The number of a token among the first few, where special ones are; None for no other.

        Raises OSError.
        """
        tokens = read_first(self.path, _TOKENS[0], _FEW)
        return tokens.index(text) if text in tokens else None

    def tensor(self, name: str, n_dims: int = 2) -> TensorInfo:
        """A tensor by its name, of so many dimensions at least."""
        found = self.tensors.get(name)
        if found is None:
            raise BadModelFile(f"tensor {quoted(name)} is missing")
        if len(found.shape) < n_dims:
            shape = list(found.shape)
            raise BadModelFile(f"tensor {quoted(name)} of shape {shape} has too few dimensions")
        return found


def _are_numbers(values: Iterable[object]) -> bool:
    return all(isinstance(each, int | float) and math.isfinite(each) for each in values)


class Draft:
    """The keys and tensors of a file to be."""

    def __init__(self, source: Source, *, beginnings: Sequence[str] | None = None) -> None:
        """With all that the source has; with `beginnings` no key, and only tensors whose names
        begin so.
        """
        self.source = source
        self.keys: dict[str, Key] = {}
        if beginnings is None:
            self.keys = {name: Kept(name) for name in source.header.metadata}
            self.keys.pop("general.alignment", None)
        start = source.header.data_offset
        self.tensors = {
            name: _made(tensor, start)
            for name, tensor in source.tensors.items()
            if beginnings is None or name.startswith(tuple(beginnings))
        }

    def finish(self) -> Target:
        """The file that was drafted."""
        return Target(self.source.header, dict(self.keys), tuple(self.tensors.values()))

    def put(self, name: str, value: Key) -> None:
        """Set a key."""
        self.keys[name] = value

    def default(self, name: str, value: Key) -> None:
        """Set a key that is not there."""
        self.keys.setdefault(name, value)

    def copy_key(self, name: str, to: str) -> None:
        """Give a key a second name, unless it is missing or the name is taken."""
        if name in self.source.header.metadata:
            self.keys.setdefault(to, Kept(name))

    def rename_architecture(self, new: str) -> None:
        """Call the architecture, and all keys of it, by another name."""
        before = f"{self.source.architecture}."
        self.keys = {
            f"{new}.{name.removeprefix(before)}" if name.startswith(before) else name: key
            for name, key in self.keys.items()
        }
        self.keys["general.architecture"] = new

    def fit_vocabulary(self) -> None:
        """Leave out the last tokens, those that the embeddings have no row for."""
        embedding = self.tensors.get("token_embd.weight")
        tokens = self.source.header.metadata.get(_TOKENS[0])
        count = tokens.count if isinstance(tokens, ArrayInfo) else len(_as_tuple(tokens))
        if embedding is None or len(embedding.info.shape) < 2:
            return
        n_rows = embedding.info.shape[1]
        if count <= n_rows:
            return
        for name in _TOKENS:
            listed = self.source.header.metadata.get(name)
            if name in self.keys and isinstance(listed, ArrayInfo | tuple):
                self.keys[name] = Kept(name, n_rows)

    def drop(self, *beginnings: str) -> None:
        """Leave out the tensors whose names begin so."""
        self.tensors = {
            name: made for name, made in self.tensors.items() if not name.startswith(beginnings)
        }

    def rename(self, pattern: str, to: str | Callable[[re.Match[str]], str]) -> None:
        """Replace what a regular expression finds in names, in all of them."""
        found = re.compile(pattern)
        renamed: dict[str, Made] = {}
        for name, made in self.tensors.items():
            new = found.sub(to, name)
            if new in renamed:
                raise BadModelFile(f"tensor {quoted(new[:80])} is there twice")
            renamed[new] = replace(made, info=replace(made.info, name=new))
        self.tensors = renamed

    def rename_all(self, table: Iterable[tuple[str, str]]) -> None:
        """Replace by pairs of a regular expression and what comes in its place, in order."""
        for pattern, to in table:
            self.rename(pattern, to)

    def need(self, name: str) -> Made:
        """A tensor by its name here."""
        made = self.tensors.get(name)
        if made is None:
            raise BadModelFile(f"tensor {quoted(name)} is missing")
        return made

    def take(self, name: str) -> Made:
        """A tensor, which is then no longer here."""
        made = self.need(name)
        del self.tensors[name]
        return made

    def widen(self, *names: str, addend: float = 0.0) -> None:
        """Store a tensor's values as F32, perhaps with a number added to each."""
        for name in names:
            if name in self.tensors:
                made = self.tensors[name]
                info = shaped(name, made.info.shape, "F32")
                self.tensors[name] = replace(made, info=info, addend=addend)

    def reshape(self, name: str, shape: Sequence[int]) -> None:
        """Tell another shape of as many elements."""
        made = self.need(name)
        if math.prod(shape) != made.info.n_elements:
            raise BadModelFile(f"tensor {quoted(name)} does not hold {list(shape)} elements")
        self.tensors[name] = replace(made, info=shaped(name, shape, made.info.type_name))

    def resample(self, name: str, width: int, n_from: int, n_to: int) -> None:
        """Make of a square of rows a smaller one, as F32, whose corners are those of the other."""
        info = shaped(name, (width, n_to * n_to), "F32")
        self.tensors[name] = replace(self.need(name), info=info, sides=(n_from, n_to))

    def add(
        self, name: str, shape: Sequence[int], type_name: str, spans: Iterable[Span] = ()
    ) -> None:
        """A new tensor, of spans of the source, or of zeros."""
        self.tensors[name] = Made(shaped(name, shape, type_name), tuple(spans))

    def stack(self, name: str, parts: Sequence[str]) -> None:
        """Put tensors of one shape together along a new dimension, as F32 where types differ."""
        shapes = {self.need(part).info.shape for part in parts}
        if len(shapes) != 1:
            raise BadModelFile(f"tensors {quoted(parts[0])} and following have other shapes")
        (shape,) = shapes
        types = {self.tensors[part].info.type_name for part in parts}
        spans = [span for part in parts for span in self.take(part).spans]
        self.add(name, (*shape, len(parts)), types.pop() if len(types) == 1 else "F32", spans)

    def join(self, name: str, parts: Sequence[str]) -> None:
        """Put tensors together along their last dimension, as F32 where their types differ."""
        taken = [self.take(part) for part in parts]
        first = taken[0].info
        front = list(first.shape[:-1])
        if not first.shape or any(list(made.info.shape[:-1]) != front for made in taken):
            raise BadModelFile(f"tensors {quoted(parts[0])} and following have other shapes")
        types = {made.info.type_name for made in taken}
        shape = (*front, sum(made.info.shape[-1] for made in taken))
        spans = [span for made in taken for span in made.spans]
        self.add(name, shape, first.type_name if len(types) == 1 else "F32", spans)

    def part(self, made: Made, begin: int, count: int) -> Span:
        """`count` elements from the `begin`th one on of a tensor that is one span of the source.

        Raises BadModelFile where blocks of its type would be cut.
        """
        (whole,) = made.spans
        kind = TENSOR_TYPES[TYPE_NUMBERS[made.info.type_name]]
        if begin + count > made.info.n_elements:
            raise BadModelFile(f"tensor {quoted(made.info.name[:80])} is too small")
        if begin % kind.block or count % kind.block:
            raise BadModelFile(
                f"tensor {quoted(made.info.name[:80])} of type {kind.name} cannot be cut"
            )
        start = whole.start + begin // kind.block * kind.block_bytes
        return replace(whole, start=start, n_bytes=count // kind.block * kind.block_bytes)

    def every(self, made: Made, step: int, first: int, width: int) -> Span:
        """Every `step`th row of `width` elements, from the `first` on; errors as of `part`."""
        row = self.part(made, first * width, width)
        n_rows = made.info.n_elements // max(width * step, 1)
        return replace(row, n_bytes=row.n_bytes * n_rows, row_bytes=row.n_bytes, step=step)

    def cut_rows(self, name: str, n_rows: int) -> None:
        """Leave out all rows of a matrix but the first ones."""
        made = self.need(name)
        width, count = self.source.tensor(name).shape[:2]
        if count != n_rows:
            span = self.part(made, 0, width * n_rows)
            self.add(name, (width, n_rows), made.info.type_name, [span])

    def regroup_rows(self, name: str, order: Iterable[int]) -> None:
        """Put a matrix's rows into another order: `order` names the row that comes next."""
        made = self.need(name)
        n_columns = self.source.tensor(name).shape[0]
        n_rows = made.info.n_elements // max(n_columns, 1)
        check_parts(name, n_rows)
        spans = [self.part(made, row * n_columns, n_columns) for row in islice(order, n_rows + 1)]
        if len(spans) != n_rows:
            raise BadModelFile(f"tensor {quoted(name)} has another number of rows")
        self.tensors[name] = replace(made, spans=tuple(spans))


def _made(tensor: TensorInfo, start: int) -> Made:
    """A tensor as it is in the source, whose data begin at `start`."""
    is_paired = tensor.type_id == PAIRED_MXFP4
    place = start + tensor.offset
    span = Span(place, tensor.n_bytes, tensor.type_name, is_paired=is_paired)
    return Made(replace(tensor, type_id=TYPE_NUMBERS[tensor.type_name]), (span,))


def check_parts(name: str, count: int) -> None:
    """Raises BadModelFile where a tensor would be made of more parts than any real one."""
    if count > _MOST_PARTS:
        raise BadModelFile(f"tensor {quoted(name)} has {count} parts, over {_MOST_PARTS}")


def shaped(name: str, shape: Sequence[int], type_name: str) -> TensorInfo:
    """The description of a tensor. Raises BadModelFile where rows do not hold whole blocks."""
    number = TYPE_NUMBERS[type_name]
    kind = TENSOR_TYPES[number]
    n_elements = math.prod(shape)
    if (shape[0] if shape else 1) % kind.block:
        raise BadModelFile(
            f"rows of tensor {quoted(name[:80])} hold no whole blocks of {type_name}"
        )
    n_bytes = n_elements // kind.block * kind.block_bytes
    return TensorInfo(name, tuple(shape), number, type_name, 0, n_elements, n_bytes)


def _as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()
