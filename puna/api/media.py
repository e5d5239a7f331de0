"""Images and recordings as requests bring them, both in fields called `images`: base64 to bytes,
kinds of files, and how much is let in.

Nothing is decoded here: that is a runner's work, which looks at pixels' and samples' number first.
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
    "ImageKind",
    "MediaData",
    "SoundKind",
    "check_media",
    "kind_of_image",
    "kind_of_sound",
]

MOST_IMAGES = 128  # in one request
MOST_IMAGE_BYTES = 32 * 1024 * 1024  # of one image's file
MOST_BYTES = 128 * 1024 * 1024  # of all files of a request: they travel to a runner in one frame

ImageKind = Literal["png", "jpeg", "webp", "gif", "bmp"]
SoundKind = Literal["wav", "mp3", "flac", "ogg"]

_NOT_DECODED = "recording {number} is {kind}, which is not decoded here: send WAV, MP3, FLAC or Ogg"


class MediaData(bytes):
    """The bytes of an image's or a recording's file, sent as standard base64."""

    @classmethod
    def parse(cls, value: Any, what: str = "image") -> MediaData:
        """Decode padded base64; line breaks inside are skipped. Raises BadRequest or TooLarge."""
        if not isinstance(value, str):
            raise BadRequest("images must be base64 strings")
        text = value.replace("\n", "").replace("\r", "")
        if len(text) > MOST_IMAGE_BYTES // 3 * 4 + 4:
            raise TooLarge(MOST_IMAGE_BYTES, what)
        try:
            return cls(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise BadRequest(f"illegal base64 data: {what}s are sent as plain base64") from None


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


def kind_of_sound(data: bytes) -> SoundKind | None:
    """What a recording's file is by its first bytes; None for what no model hears."""
    if data[:4] in {b"RIFF", b"RF64"} and data[8:12] == b"WAVE":
        return "wav"
    if data.startswith(b"fLaC"):
        return "flac"
    if data.startswith(b"OggS"):
        return "ogg"
    is_layer_3 = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2
    return "mp3" if data.startswith(b"ID3") or is_layer_3 else None


def check_media(files: Iterable[bytes]) -> None:
    """Let all images and recordings of a request pass, or none. Raises BadRequest or TooLarge.

    Numbers in the texts count from 0, as the tags of both in prompts do.
    """
    size = 0
    for number, data in enumerate(files):
        if number == MOST_IMAGES:
            raise BadRequest(f"more than {MOST_IMAGES} images in a request")
        if len(data) > MOST_IMAGE_BYTES:
            raise TooLarge(MOST_IMAGE_BYTES, "recording" if kind_of_sound(data) else "image")
        size += len(data)
        if size > MOST_BYTES:
            raise TooLarge(MOST_BYTES, "images")
        if kind_of_image(data) is None and kind_of_sound(data) is None:
            raise BadRequest(_fault(data, number))


def _fault(data: bytes, number: int) -> str:
    """Why a file is let in nowhere."""
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return _NOT_DECODED.format(number=number, kind="WebM or Matroska")
    if data[4:8] == b"ftyp":
        return _NOT_DECODED.format(number=number, kind="MP4 (as M4A and MOV are)")
    return (
        f"image {number} is not a PNG, JPEG, WebP, GIF or BMP file, nor a WAV, MP3, FLAC or Ogg "
        "recording"
    )
