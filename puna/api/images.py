"""Images as requests bring them: base64 to bytes, kinds of files, and how much is let in.

Nothing is decoded here: that is a runner's work, which looks at the pixels' number first.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Literal

from puna.errors import BadRequest, TooLarge

__all__ = [
    "MOST_BYTES",
    "MOST_IMAGES",
    "MOST_IMAGE_BYTES",
    "ImageData",
    "ImageKind",
    "check_images",
    "kind_of_image",
]

MOST_IMAGES = 128  # in one request
MOST_IMAGE_BYTES = 32 * 1024 * 1024  # of one image's file
MOST_BYTES = 128 * 1024 * 1024  # of all files of a request: they travel to a runner in one frame

ImageKind = Literal["png", "jpeg", "webp", "gif", "bmp"]


class ImageData(bytes):
    """The bytes of an image's file, sent as standard base64."""

    @classmethod
    def parse(cls, value: Any) -> ImageData:
        """Decode padded base64; line breaks inside are skipped. Raises BadRequest or TooLarge."""
        if not isinstance(value, str):
            raise BadRequest("images must be base64 strings")
        text = value.replace("\n", "").replace("\r", "")
        if len(text) > MOST_IMAGE_BYTES // 3 * 4 + 4:
            raise TooLarge(MOST_IMAGE_BYTES, "image")
        try:
            return cls(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise BadRequest("illegal base64 data: images are sent as plain base64") from None


def kind_of_image(data: bytes) -> ImageKind | None:
    """What a file is by its first bytes; None for what no model is shown."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "bmp" if data.startswith(b"BM") else None


def check_images(images: Iterable[bytes]) -> None:
    """Let all images of a request pass, or none. Raises BadRequest or TooLarge.

    Numbers in the texts count from 0, as the tags of images in prompts do.
    """
    size = 0
    for number, image in enumerate(images):
        if number == MOST_IMAGES:
            raise BadRequest(f"more than {MOST_IMAGES} images in a request")
        if len(image) > MOST_IMAGE_BYTES:
            raise TooLarge(MOST_IMAGE_BYTES, "image")
        size += len(image)
        if size > MOST_BYTES:
            raise TooLarge(MOST_BYTES, "images")
        if kind_of_image(image) is None:
            raise BadRequest(f"image {number} is not a PNG, JPEG, WebP, GIF or BMP file")
