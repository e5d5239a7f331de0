"""Images as they come in: what kind of file they are, and how many and how large they may be."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.images import (
    MOST_BYTES,
    MOST_IMAGE_BYTES,
    MOST_IMAGES,
    ImageData,
    check_images,
    kind_of_image,
)
from puna.errors import BadRequest, TooLarge

PNG = b"\x89PNG\r\n\x1a\n"
KINDS: dict[str, tuple[bytes, str | None]] = {
    "PNG": (PNG + b"...", "png"),
    "JPEG": (b"\xff\xd8\xff\xe0...", "jpeg"),
    "WebP": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "webp"),
    "GIF": (b"GIF89a...", "gif"),
    "an old GIF": (b"GIF87a...", "gif"),
    "BMP": (b"BM...", "bmp"),
    "a sound": (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
    "half a head": (PNG[:5], None),
    "nothing": (b"", None),
    "a drawing": (b"<svg></svg>", None),
    "a video": (b"\x00\x00\x00\x20ftypisom", None),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS)
def test_files_are_known_by_their_first_bytes(data: bytes, kind: str | None) -> None:
    assert kind_of_image(data) == kind


@given(st.binary(max_size=20))
def test_any_bytes_have_a_kind_or_none(data: bytes) -> None:
    assert kind_of_image(data) in {"png", "jpeg", "webp", "gif", "bmp", None}


def test_images_pass() -> None:
    check_images([])
    check_images([PNG] * MOST_IMAGES)


BIG = PNG + b"\0" * (MOST_IMAGE_BYTES - len(PNG))
REFUSED: dict[str, tuple[Sequence[bytes], type[BadRequest], str]] = {
    "too many": ([PNG] * (MOST_IMAGES + 1), BadRequest, "more than 128 images"),
    "one too large": ([BIG + b"\0"], TooLarge, "^image too large: at most 33554432 bytes"),
    "all together too large": (
        [BIG] * (MOST_BYTES // MOST_IMAGE_BYTES) + [PNG],
        TooLarge,
        "^images too large: at most 134217728 bytes",
    ),
    "the second is a text": ([PNG, b"hello"], BadRequest, "^image 1 is not a PNG, JPEG, WebP"),
    "an empty one": ([b""], BadRequest, "^image 0 is not"),
}


@pytest.mark.parametrize(("images", "kind", "text"), REFUSED.values(), ids=REFUSED)
def test_images_are_refused(images: Sequence[bytes], kind: type[BadRequest], text: str) -> None:
    with pytest.raises(kind, match=text):
        check_images(images)


def test_a_text_that_is_too_long_is_not_decoded() -> None:
    whole = base64.b64encode(BIG).decode()
    assert len(ImageData.parse(whole)) == MOST_IMAGE_BYTES
    with pytest.raises(TooLarge):
        ImageData.parse(whole + "!!!!" * 2)
