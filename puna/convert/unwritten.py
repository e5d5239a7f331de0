"""A file that is never written: its bytes are worked out of another file's when they are read.

Tensors that are as in the other file are read from there; so are pieces of those whose bytes are in
another order. Of the others, which are small, one is kept at a time.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from puna.convert.kinds import STORAGE, as_float32
from puna.errors import BadModelFile, quoted
from puna.gguf.reader import DEFAULT_ALIGNMENT
from puna.gguf.translation.target import Made, Span, Target

__all__ = ["Floats", "Unwritten", "Widen", "outline", "widen_floats"]

Floats = npt.NDArray[np.float32]

Widen = Callable[[bytes, str], Floats]
"""Makes F32 of the bytes of a tensor type."""

_BLOCK_BYTES = 17  # of MXFP4
_WIDENED = frozenset({"F32", "F16", "BF16"})
_FEW_SPANS = 256  # parts of a tensor that are looked through for each read
_PIECE = 4 << 20  # bytes that are copied at a time


class Unwritten:
    """The bytes of a target, from a path of its source. To be closed, or used as a context."""

    def __init__(
        self, target: Target, path: Path, widen: Widen, *, piece_bytes: int = _PIECE
    ) -> None:
        """`piece_bytes` are put into another order at a time. Raises BadModelFile and OSError."""
        self._head = target.read_head(path)
        self._made = target.settled()
        self._starts = [len(self._head) + made.info.offset for made in self._made]
        self._widen = widen
        self._piece_bytes = piece_bytes
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        if os.fstat(self._descriptor).st_size != target.source.file_size:
            os.close(self._descriptor)
            raise BadModelFile("the model's file became another one while it was opened")
        self._kept: tuple[tuple[int, int], bytes] = (-1, 0), b""
        end = self._starts[-1] + self._made[-1].info.n_bytes if self._made else len(self._head)
        self.size = end + -end % DEFAULT_ALIGNMENT

    def __enter__(self) -> Unwritten:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing can be read any more."""
        os.close(self._descriptor)

    @property
    def head(self) -> bytes:
        """Everything before the data."""
        return self._head

    def read_into(self, view: memoryview, at: int) -> int:
        """Fill `view` with what begins at `at`; how many bytes of it, fewer only at the end.

        Raises BadModelFile where the source became shorter, OSError.
        """
        view = view[: max(self.size - at, 0)]
        n_bytes, done = len(view), 0
        while done < n_bytes:
            done += self._fill(view[done:], at + done)
        return n_bytes

    def pieces(self) -> Iterator[bytes]:
        """All bytes, in pieces."""
        for at in range(0, self.size, _PIECE):
            piece = bytearray(min(_PIECE, self.size - at))
            self.read_into(memoryview(piece), at)
            yield bytes(piece)

    def _fill(self, view: memoryview, at: int) -> int:
        """Fill the beginning of `view`; how many bytes, at least one."""
        if at < len(self._head):
            return _put(view, self._head[at : at + len(view)])
        number = bisect_right(self._starts, at) - 1
        made, within = self._made[number], at - self._starts[number]
        if within >= made.info.n_bytes:  # between two tensors
            end = self._starts[number + 1] if number + 1 < len(self._made) else self.size
            return _put(view, bytes(min(end - at, len(view))))
        if made.is_plain and len(made.spans) <= _FEW_SPANS:
            if made.spans[0].is_straight:
                return self._fill_straight(view, made, within)
            if len(made.spans) == 1:
                return self._fill_ordered(view, number, within)
        whole = self._remember((number, 0), lambda: self._work_out(made))
        return _put(view, whole[within : within + len(view)])

    def _fill_straight(self, view: memoryview, made: Made, within: int) -> int:
        """As `_fill`, `within` a tensor whose parts are read from the source."""
        for span in made.spans:
            if within < span.n_bytes:
                return self._read(view[: span.n_bytes - within], span.start + within, made)
            within -= span.n_bytes
        raise BadModelFile(f"tensor {quoted(made.info.name[:80])} is larger than its parts")

    def _fill_ordered(self, view: memoryview, number: int, within: int) -> int:
        """As `_fill`, `within` a tensor whose rows or values are in another order."""
        made = self._made[number]
        (span,) = made.spans
        unit = span.row_bytes or _BLOCK_BYTES
        n_bytes = max(self._piece_bytes // unit, 1) * unit
        place = within // n_bytes
        begin = place * n_bytes
        part = replace(
            span,
            start=span.start + begin * span.step,
            n_bytes=min(n_bytes, span.n_bytes - begin),
        )
        piece = self._remember((number, place), lambda: self._span(part, made))
        return _put(view, piece[within - begin : within - begin + len(view)])

    def _read(self, view: memoryview, at: int, made: Made) -> int:
        count = os.preadv(self._descriptor, [view], at)
        if not count:
            name = quoted(made.info.name[:80])
            raise BadModelFile(f"the model's file became shorter: tensor {name} is cut off")
        return count

    def _remember(self, place: tuple[int, int], make: Callable[[], bytes]) -> bytes:
        if self._kept[0] != place:
            self._kept = place, make()
        return self._kept[1]

    def _work_out(self, made: Made) -> bytes:
        if not made.spans:
            return bytes(made.info.n_bytes)
        raw = [self._span(span, made) for span in made.spans]
        if made.is_plain:
            return b"".join(raw)
        widened = [
            self._widen(part, span.type_name) for part, span in zip(raw, made.spans, strict=True)
        ]
        values = np.concatenate(widened) + np.float32(made.addend)
        if made.sides:
            values = _resample(values, *made.sides)
        return values.astype("<f4").tobytes()

    def _span(self, span: Span, made: Made) -> bytes:
        n_rows = span.n_bytes // span.row_bytes if span.row_bytes else 1
        row_bytes = span.row_bytes or span.n_bytes
        raw = bytearray(n_rows * span.step * row_bytes)
        n_passed = (span.step - 1) * row_bytes if n_rows else 0  # of the last row not read
        view = memoryview(raw)[: len(raw) - n_passed]
        done = 0
        while done < len(view):
            done += self._read(view[done:], span.start + done, made)
        if span.is_straight:
            return bytes(raw)
        rows = np.frombuffer(raw, np.uint8).reshape(n_rows, span.step, row_bytes)[:, 0]
        return (_unpair(rows) if span.is_paired else rows).tobytes()


def _resample(values: Floats, n_from: int, n_to: int) -> Floats:
    """Bilinear, corner on corner: a grid of `n_from` squared rows becomes one of `n_to` squared."""
    grid = values.reshape(n_from, n_from, -1)
    places = np.linspace(0, n_from - 1, n_to)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, n_from - 1)
    share = (places - low).astype(np.float32)[:, None, None]
    for _ in range(2):  # rows, then columns
        grid = (grid[low] * (1 - share) + grid[high] * share).swapaxes(0, 1)
    return grid.reshape(-1)


def _unpair(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Blocks of MXFP4 as the engine has them: a byte holds a value and the sixteenth after it,
    where it held two neighbours. The first byte of a block is its scale.
    """
    blocks = rows.reshape(-1, _BLOCK_BYTES)
    values = np.stack([blocks[:, 1:] & 15, blocks[:, 1:] >> 4], 2).reshape(len(blocks), -1)
    half = values.shape[1] // 2
    return np.hstack([blocks[:, :1], values[:, :half] | values[:, half:] << 4])


@contextmanager
def outline(target: Target, source: Path, beside: Path) -> Iterator[Path]:
    """A file with all that a target says and zeros for its tensors, which take no room, for as long
    as it is asked what kind of model that is. Raises BadModelFile, OSError.
    """
    path = beside.with_name(f"{beside.name}.outline")
    try:
        with Unwritten(target, source, widen_floats) as whole, path.open("wb") as file:
            file.write(whole.head)
            file.truncate(whole.size)
        yield path
    finally:
        path.unlink(missing_ok=True)


def widen_floats(data: bytes, type_name: str) -> Floats:
    """The values that `data` of a type of floats holds. Raises BadModelFile for another type."""
    if type_name not in _WIDENED:
        raise BadModelFile(f"values of type {type_name} are no floats")
    return as_float32(np.frombuffer(data, STORAGE[type_name]), type_name)


def _put(view: memoryview, data: bytes) -> int:
    view[: len(data)] = data
    return len(data)
