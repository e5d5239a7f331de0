"""Files of images to pixels, and what is refused before a pixel is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from puna.errors import BadRequest
from puna.runner.pixels import MOST_PIXELS, read_all, read_pixels
from tests.fakes.projectors import make_image

RED, GREY = (255, 0, 0), (128, 128, 128)


def save(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def plain(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (4, 2), colour)


def turned() -> bytes:
    image = Image.new("RGB", (4, 2), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it to the right
    return save(image, "JPEG", exif=exif, quality=100)


def moving() -> bytes:
    frames = [plain("RGB", RED), plain("RGB", (0, 0, 255))]
    return save(frames[0], "GIF", save_all=True, append_images=frames[1:])


FILES: dict[str, tuple[bytes, tuple[int, int], tuple[int, int, int]]] = {
    "PNG": (save(plain("RGB", RED)), (2, 4), RED),
    "JPEG": (save(plain("RGB", RED), "JPEG", quality=100), (2, 4), (254, 0, 0)),
    "WebP": (save(plain("RGB", RED), "WEBP", lossless=True), (2, 4), RED),
    "BMP": (save(plain("RGB", RED), "BMP"), (2, 4), RED),
    "the first of a GIF": (moving(), (2, 4), RED),
    "grey": (save(plain("L", 128)), (2, 4), GREY),
    "grey in 16 bits": (save(plain("I;16", 0x8000)), (2, 4), GREY),
    "black and white": (save(plain("1", 1)), (2, 4), (255, 255, 255)),
    "colours of a palette": (save(plain("RGB", RED).convert("P")), (2, 4), RED),
    "CMYK": (save(plain("CMYK", (0, 255, 255, 0)), "JPEG", quality=100), (2, 4), (254, 0, 0)),
    "nothing to be seen": (save(plain("RGBA", (9, 9, 9, 0))), (2, 4), (255, 255, 255)),
    "half of it": (save(plain("RGBA", (255, 0, 0, 127))), (2, 4), (255, 128, 128)),
    "turned": (turned(), (4, 2), (254, 0, 0)),
}


@pytest.mark.parametrize(("data", "shape", "colour"), FILES.values(), ids=FILES)
def test_files_are_read(data: bytes, shape: tuple[int, int], colour: tuple[int, int, int]) -> None:
    pixels, is_fewer = read_pixels(data, 0)
    assert not is_fewer
    assert pixels.shape == (*shape, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - colour).max() <= 2


def claims(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


side = 2**14
REFUSED: dict[str, tuple[bytes, str]] = {
    "more pixels than allowed": (claims(side, MOST_PIXELS // side + 1), "is too large: 16384 x"),
    "far more": (claims(2**31 - 1, 2**31 - 1), "cannot be read|too large"),
    "a bomb by Pillow's own measure": (claims(20_000, 20_000), "too large|cannot be read"),
    "as many as allowed, but none there": (claims(side, MOST_PIXELS // side), "cannot be read"),
    "no width": (claims(0, 5), "cannot be read|too narrow"),
    "a line": (save(Image.new("RGB", (300, 2))), "is too narrow: 300 x 2"),
    "cut off": (make_image()[:-200], "cannot be read"),
    "empty": (b"", "cannot be read: cannot identify image file"),
    "of a kind that is not let in": (save(plain("RGB", RED), "TIFF"), "cannot be read"),
}


@pytest.mark.parametrize(("data", "complaint"), REFUSED.values(), ids=REFUSED)
def test_files_are_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(BadRequest, match=f"^image 7 ({complaint})|^image 7 .*({complaint})"):
        read_pixels(data, 7)


@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
)
def test_damage_gives_pixels_or_a_refusal(kind: str, damage: list[tuple[float, int]]) -> None:
    data = bytearray(make_image(16, 8, format=kind))
    for place, value in damage:
        data[int(place * (len(data) - 1))] = value
    try:
        pixels, _ = read_pixels(bytes(data), 0)
    except BadRequest:
        return
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_more_pixels_than_any_model_takes_in_are_made_fewer(kind: str) -> None:
    colours = Image.new("RGB", (3000, 2000), "red")
    colours.paste("blue", (1500, 0, 3000, 2000))
    pixels, is_fewer = read_pixels(save(colours, kind), 0)
    assert is_fewer
    height, width, _ = pixels.shape
    assert 1_000_000 < width * height <= 4 * 1024 * 1024
    assert abs(width / height - 1.5) < 0.01
    assert pixels[10, 10].tolist() == pytest.approx(RED, abs=2)
    assert pixels[-10, -10].tolist() == pytest.approx((0, 0, 255), abs=2)


def test_many_images_are_held_in_little_memory() -> None:
    photo = save(Image.new("RGB", (2400, 1600), "red"))
    assert read_all([(0, photo)])[0][1] is False
    (first, is_fewer), *others = read_all(list(enumerate([photo] * 40)))
    assert is_fewer
    assert first.size / 3 * 40 <= 128 * 1024 * 1024
    assert len(others) == 39


def test_what_all_images_of_a_request_would_cost_is_bounded() -> None:
    large = claims(side, MOST_PIXELS // side)
    with pytest.raises(BadRequest, match="the images of a request have more than 268435456 pixels"):
        read_all(list(enumerate([large] * 5)))
