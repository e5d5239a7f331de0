"""Reads numbers and strings of an untrusted file, forwards, through a window of its bytes.

What they mean is not decided here. The file is read, not mapped: a mapped file that somebody
truncates kills the process with SIGBUS.
"""

from __future__ import annotations

from io import FileIO
from struct import Struct, error

from puna.errors import BadModelFile, quoted

__all__ = ["MAX_STRING", "Cursor"]

WINDOW = 1 << 20
MAX_STRING = 16 << 20
MAX_READ = 128 << 20  # bytes read, not passed over; the largest vocabularies need under 30 MB
MAX_KEPT = 256 << 20  # estimated bytes of Python objects made of one header
OBJECT_BYTES = 64  # what a small string or number costs beside its characters


class Cursor:
    """A place in a file, and the bytes around it.

    `subject` says what is being read, for errors. Every method raises BadModelFile when the file
    ends too early or a limit is passed.
    """

    def __init__(self, file: FileIO, file_size: int) -> None:
        self.file_size = file_size
        self.order = "<"
        self.subject = "header"
        self.terminated = False  # version 1: strings end in NUL
        self._file = file
        self._window = b""
        self._base = 0
        self._at = 0
        self._kept = 0
        self._read = 0
        self._structs: dict[str, Struct] = {}

    @property
    def position(self) -> int:
        """Bytes from the start of the file."""
        return self._base + self._at

    @property
    def left(self) -> int:
        """Bytes up to the end of the file."""
        return self.file_size - self.position

    def bad(self, problem: str) -> BadModelFile:
        """Make the error that says what is wrong, and with what."""
        return BadModelFile(f"invalid GGUF: {self.subject}: {problem}")

    def about(self, kind: str, name: str) -> None:
        """Name what is being read, shortened: names come from the file."""
        self.subject = f"{kind} {quoted(name if len(name) <= 80 else name[:80] + '…')}"

    def numbers(self, codes: str) -> tuple[int | float | bool, ...]:
        """Read numbers of the `struct` letters in `codes`."""
        shape = self._shape(codes)
        self._need(shape.size)
        values = shape.unpack_from(self._window, self._at)
        self._at += shape.size
        return values

    def whole(self, code: str) -> int:
        """Read one whole number."""
        shape = self._shape(code)
        self._need(shape.size)
        (value,) = shape.unpack_from(self._window, self._at)
        self._at += shape.size
        return int(value)

    def take(self, n_bytes: int) -> bytes:
        """Read bytes as they are."""
        self._need(n_bytes)
        start, self._at = self._at, self._at + n_bytes
        return self._window[start : self._at]

    def string(self, limit: int = MAX_STRING) -> str:
        """Read a string of at most `limit` bytes. What is not UTF-8 becomes U+FFFD."""
        size = self.whole("Q")
        if size > limit:
            raise self.bad(f"string length {size} is over the limit of {limit}")
        self.keep(size)
        raw = self.take(size)
        if self.terminated:
            if not raw.endswith(b"\0"):
                raise self.bad(f"string length {size} leaves no final NUL")
            raw = raw[:-1]
        return raw.decode("utf-8", "replace")

    def strings(self, count: int) -> list[str]:
        """Read `count` strings."""
        return [self.string() for _ in range(count)]

    def skip(self, n_bytes: int) -> None:
        """Go forward without reading."""
        if n_bytes > self.left:
            raise self.bad("unexpected EOF")
        self._at += n_bytes

    def skip_strings(self, count: int) -> None:
        """Go past `count` strings: the one loop that a vocabulary's 400,000 entries pass through.

        It runs on local names and lets `unpack_from` notice the end of the window. Only the last
        length seen in a window can be over the limit, because the window is smaller than that.
        """
        unpack_from = self._shape("Q").unpack_from
        while count:
            self._need(8)
            window, at, size, passed = self._window, self._at, 0, 0
            try:
                for passed in range(count):  # noqa: B007 - read after the loop
                    (size,) = unpack_from(window, at)
                    at += size + 8
                passed = count
            except (error, OverflowError, IndexError):
                pass  # the next length is outside this window
            if size > MAX_STRING:
                raise self.bad(f"string length {size} is over the limit of {MAX_STRING}")
            count -= passed
            self.skip(at - self._at)

    def keep(self, n_bytes: int, objects: int = 1) -> None:
        """Account for what stays in memory."""
        self._kept += n_bytes + objects * OBJECT_BYTES
        if self._kept > MAX_KEPT:
            raise self.bad(f"metadata is over the limit of {MAX_KEPT} bytes")

    def _shape(self, codes: str) -> Struct:
        try:
            return self._structs[codes]
        except KeyError:
            shape = self._structs[codes] = Struct(self.order + codes)
            return shape

    def _need(self, n_bytes: int) -> None:
        """Have the next `n_bytes` in the window."""
        if self._at + n_bytes <= len(self._window):
            return
        position = self.position
        if position + n_bytes > self.file_size:
            raise self.bad("unexpected EOF")
        if self._read > MAX_READ:
            raise self.bad(f"header is over the limit of {MAX_READ} bytes")
        self._file.seek(position)
        self._window = self._file.read(max(n_bytes, WINDOW))
        self._read += len(self._window)
        self._base, self._at = position, 0
        if len(self._window) < n_bytes:  # it became shorter meanwhile
            raise self.bad("unexpected EOF")
