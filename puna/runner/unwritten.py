"""A file that is never written: its bytes are worked out of another file's when they are read.

Tensors that are as in the other file are read from there; of the others, which are small, one is
kept at a time.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from puna.errors import BadModelFile, quoted
from puna.gguf.reader import DEFAULT_ALIGNMENT
from puna.gguf.translation.target import Made, Span, Target

__all__ = ["Floats", "Unwritten", "Widen"]

Floats = npt.NDArray[np.float32]

Widen = Callable[[bytes, str], Floats]
"""Makes F32 of the bytes of a tensor type."""

_PIECE = 4 << 20  # bytes that are copied at a time


class Unwritten:
    """The bytes of a target, from a path of its source. To be closed, or used as a context."""

    def __init__(self, target: Target, path: Path, widen: Widen) -> None:
        """Raises BadModelFile and OSError."""
        self._head = target.read_head(path)
        self._made = target.settled()
        self._starts = [len(self._head) + made.info.offset for made in self._made]
        self._widen = widen
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._kept: tuple[int, bytes] = -1, b""
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
        if made.is_plain and len(made.spans) == 1:
            view = view[: made.info.n_bytes - within]
            return self._read(view, made.spans[0].start + within, made)
        return _put(view, self._worked_out(number)[within : within + len(view)])

    def _read(self, view: memoryview, at: int, made: Made) -> int:
        count = os.preadv(self._descriptor, [view], at)
        if not count:
            name = quoted(made.info.name[:80])
            raise BadModelFile(f"the model's file became shorter: tensor {name} is cut off")
        return count

    def _worked_out(self, number: int) -> bytes:
        if self._kept[0] != number:
            self._kept = number, self._work_out(self._made[number])
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
        return (np.concatenate(widened) + np.float32(made.addend)).astype("<f4").tobytes()

    def _span(self, span: Span, made: Made) -> bytes:
        out = bytearray(span.n_bytes)
        done = 0
        while done < span.n_bytes:
            done += self._read(memoryview(out)[done:], span.start + done, made)
        return bytes(out)


def _put(view: memoryview, data: bytes) -> int:
    view[: len(data)] = data
    return len(data)
