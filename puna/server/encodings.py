"""Bodies that come compressed: gzip, deflate and zstd, bounded in what comes out of them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable

from puna.errors import BadRequest, TooLarge, UnknownEncoding
from puna.threads import in_thread

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["decompress", "most_decompressed"]

FREE_BYTES = 20 * 1024 * 1024
"""What may come out of any body, however small. The reference's own limit."""
MOST_RATIO = 100
"""How many times its length may come out of a larger one; JSON seldom reaches 20."""

_WINDOW_LOG = 23  # 8 MiB of memory for a zstd frame
_STEP = 1024 * 1024
_IN_THREAD = 32 * 1024  # compressed bytes from which on the event loop should not do it
_FAILED = "failed to decompress request body"


def most_decompressed(size: int, limit: int) -> int:
    """How many bytes may come out of `size` ones, where a body may have `limit`."""
    return min(limit, max(FREE_BYTES, size * MOST_RATIO))


async def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before `Content-Encoding`.

    Raises UnknownEncoding, TooLarge, and BadRequest for what is broken.
    """
    names = [name.strip().lower() for name in encoding.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if not names:
        return body
    if len(names) > 1 or names[0] not in _DECODERS:
        raise UnknownEncoding(encoding[:80])
    decode = _DECODERS[names[0]]
    most = most_decompressed(len(body), limit)
    return await in_thread(decode, body, most) if len(body) > _IN_THREAD else decode(body, most)


def _gzip(body: bytes, most: int) -> bytes:
    return _inflate(body, most, 31)


def _deflate(body: bytes, most: int) -> bytes:
    """With zlib's header, as the standard has it, or without, as some clients do."""
    is_wrapped = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate(body, most, 15 if is_wrapped else -15)


def _inflate(body: bytes, most: int, window_bits: int) -> bytes:
    engine = zlib.decompressobj(window_bits)
    out = bytearray()
    data = body
    try:
        while not engine.eof:
            piece = engine.decompress(data, _STEP)
            _take(out, piece, most)
            data = engine.unconsumed_tail
            if not piece and not data:
                break
    except zlib.error as cause:
        raise BadRequest(f"{_FAILED}: {cause}") from cause
    return _whole(engine.eof, engine.unused_data, out)


def _zstd(body: bytes, most: int) -> bytes:
    try:
        engine = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        )
        out = bytearray()
        data = body
        while not engine.eof:
            piece = engine.decompress(data, _STEP)
            _take(out, piece, most)
            data = b""
            if not piece and engine.needs_input:
                break
    except (zstd.ZstdError, EOFError) as cause:
        raise BadRequest(f"{_FAILED}: {cause}") from cause
    return _whole(engine.eof, engine.unused_data, out)


def _take(out: bytearray, piece: bytes, most: int) -> None:
    if len(out) + len(piece) > most:
        raise TooLarge(most)
    out += piece


def _whole(at_end: bool, rest: bytes, out: bytearray) -> bytes:
    if not at_end:
        raise BadRequest(f"{_FAILED}: it ends early")
    if rest:
        raise BadRequest(f"{_FAILED}: something follows its end")
    return bytes(out)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
