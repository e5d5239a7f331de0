"""Image files to pixels. They are untrusted: their size is known before a pixel is decoded."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from puna.errors import BadRequest

__all__ = ["MOST_PIXELS", "MOST_STRETCHED", "Pixels", "read_all", "read_pixels", "shrink"]

MOST_PIXELS = 64 * 1024 * 1024  # of an image
MOST_STRETCHED = 100  # the longer side, in shorter ones: encoders fail on what is all edge
_MOST_DECODED = 256 * 1024 * 1024  # pixels of all images of a request: what may be worked at
_MOST_KEPT = 4 * 1024 * 1024  # pixels of an image: no encoder takes more in
_ALL_KEPT = 128 * 1024 * 1024  # pixels of all images of a request: what may be held in memory
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

Pixels = npt.NDArray[np.uint8]


def read_all(files: Sequence[tuple[int, bytes]]) -> list[tuple[Pixels, bool]]:
    """The pixels of a request's images, and whether they were made fewer; see `read_pixels`. Each
    has its number in the request."""
    most = min(_MOST_KEPT, _ALL_KEPT // max(1, len(files)))
    total = 0
    for number, data in files:
        with _opened(data, number) as image:
            image.draft("RGB", _target(image.size, most))
            total += image.width * image.height
        if total > _MOST_DECODED:
            raise BadRequest(f"the images of a request have more than {_MOST_DECODED} pixels")
    return [read_pixels(data, number, most) for number, data in files]


def read_pixels(data: bytes, number: int, most: int = _MOST_KEPT) -> tuple[Pixels, bool]:
    """The pixels of an image, shape (height, width, 3), red first, upright, on white; and whether
    it had more than `most` of them and was made smaller.

    Of moving images it is the first. `number` is what the texts of errors call it. Raises
    BadRequest.
    """
    with _opened(data, number) as image:
        n_pixels = image.width * image.height
        image.draft("RGB", _target(image.size, most))  # JPEG is decoded at a part of its size
        pixels = _rgb(ImageOps.exif_transpose(image))
    if n_pixels <= most:
        return pixels, False
    height, width, _ = pixels.shape
    return shrink(pixels, min(1.0, math.sqrt(most / (width * height)))), True


@contextmanager
def _opened(data: bytes, number: int) -> Iterator[Image.Image]:
    """An image whose size was looked at, and no more. What goes wrong with it is a BadRequest."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(*image.size, number)
            yield image
    except BadRequest:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's file may break a decoder in any way
        said = str(error).partition("<")[0].strip(" :") or type(error).__name__
        raise BadRequest(f"image {number} cannot be read: {said[:200]}") from None


def _target(size: tuple[int, int], most: int) -> tuple[int, int]:
    """A size of at most `most` pixels in the same shape, or the size itself."""
    factor = min(1.0, math.sqrt(most / (size[0] * size[1])))
    return int(size[0] * factor), int(size[1] * factor)


def shrink(pixels: Pixels, factor: float) -> Pixels:
    """The same image with both sides `factor` times as long."""
    height, width, _ = pixels.shape
    size = max(1, int(width * factor)), max(1, int(height * factor))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def _check_size(width: int, height: int, number: int) -> None:
    if width * height > MOST_PIXELS:
        raise BadRequest(
            f"image {number} is too large: {width} x {height} pixels, at most {MOST_PIXELS} in all"
        )
    if max(width, height) > MOST_STRETCHED * min(width, height):
        raise BadRequest(
            f"image {number} is too narrow: {width} x {height} pixels, one side is more than "
            f"{MOST_STRETCHED} times the other"
        )


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off, not scale
        grey = (np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        image = Image.alpha_composite(white, colours)
    return np.asarray(image.convert("RGB"))
