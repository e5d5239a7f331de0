"""Compressed bodies: what comes out, and how much may."""

from __future__ import annotations

import asyncio
import gzip
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest, TooLarge, UnknownEncoding
from puna.server.encodings import FREE_BYTES, decompress, most_decompressed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 64 * 1024 * 1024


def bare_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "zstd": (" zstd , identity", zstd.compress),
}
encoders = pytest.mark.parametrize(("name", "encode"), ENCODERS.values(), ids=ENCODERS)


def decode(data: bytes, name: str, limit: int = LIMIT) -> bytes:
    return asyncio.run(decompress(data, name, limit))


@encoders
@pytest.mark.parametrize("data", [b"", b"{}", bytes(range(256)) * 10_000])
def test_what_went_in_comes_out(name: str, encode: Callable[[bytes], bytes], data: bytes) -> None:
    assert decode(encode(data), name) == data


@encoders
def test_bombs_are_stopped(name: str, encode: Callable[[bytes], bytes]) -> None:
    bomb = encode(bytes(FREE_BYTES + 1))
    assert len(bomb) * 100 < FREE_BYTES
    with pytest.raises(TooLarge):
        decode(bomb, name)
    assert len(decode(encode(bytes(FREE_BYTES)), name)) == FREE_BYTES
    with pytest.raises(TooLarge):
        decode(encode(bytes(1001)), name, 1000)


@encoders
def test_what_is_broken_is_refused(name: str, encode: Callable[[bytes], bytes]) -> None:
    whole = encode(b'{"model": "m"}' * 100)
    for broken in (whole[:-5], whole + b"more", b"", b"\x00" * 50, whole[:2] + b"\xff" * 30):
        with pytest.raises(BadRequest, match="failed to decompress request body"):
            decode(broken, name)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_any_bytes_are_a_body_or_an_error(data: bytes, name: str) -> None:
    with suppress(BadRequest):
        decode(data, name)


def test_a_frame_that_wants_much_memory_is_refused() -> None:
    wide: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.checksum_flag: 0,
    }
    engine = zstd.ZstdCompressor(options=wide)
    frame = engine.compress(b"x" * 100) + engine.flush()
    with pytest.raises(BadRequest, match="failed to decompress"):
        decode(frame, "zstd")


@pytest.mark.parametrize("name", ["br", "gzip, gzip", "gzip, zstd", "nonsense"])
def test_other_encodings_are_not_known(name: str) -> None:
    with pytest.raises(UnknownEncoding) as error:
        decode(b"{}", name)
    assert error.value.status == 415


def test_without_an_encoding_a_body_is_itself() -> None:
    assert decode(b"{}", "identity") == b"{}"


def test_how_much_may_come_out() -> None:
    assert most_decompressed(10, LIMIT) == FREE_BYTES
    assert most_decompressed(300_000, LIMIT) == 30_000_000
    assert most_decompressed(10**9, LIMIT) == LIMIT
