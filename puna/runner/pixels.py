"""Image files to pixels. They are untrusted: their size is known before a pixel is decoded."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from puna.errors import BadRequest

__all__ = ["MOST_PIXELS", "MOST_STRETCHED", "Pixels", "read_pixels", "shrink"]

MOST_PIXELS = 64 * 1024 * 1024
MOST_STRETCHED = 100  # the longer side, in shorter ones: encoders fail on what is all edge
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

Pixels = npt.NDArray[np.uint8]


def read_pixels(data: bytes, number: int) -> Pixels:
    """The pixels of an image, shape (height, width, 3), red first, upright, on white.

    Of moving images it is the first. `number` is what the texts of errors call it. Raises
    BadRequest.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(*image.size, number)
            return _rgb(ImageOps.exif_transpose(image))
    except BadRequest:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's file may break a decoder in any way
        said = str(error).partition("<")[0].strip(" :") or type(error).__name__
        raise BadRequest(f"image {number} cannot be read: {said[:200]}") from None


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
