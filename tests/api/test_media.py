"""Images and recordings as they come in: what kind of file they are, how many and how large."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.media import (
    MOST_BYTES,
    MOST_IMAGE_BYTES,
    MOST_IMAGES,
    MediaData,
    check_media,
    kind_of_image,
    kind_of_sound,
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
    "a recording": (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
    "half a head": (PNG[:5], None),
    "nothing": (b"", None),
    "a drawing": (b"<svg></svg>", None),
    "a video": (b"\x00\x00\x00\x20ftypisom", None),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS)
def test_files_are_known_by_their_first_bytes(data: bytes, kind: str | None) -> None:
    assert kind_of_image(data) == kind


SOUNDS: dict[str, tuple[bytes, str | None]] = {
    "WAV": (b"RIFF\x10\x00\x00\x00WAVEfmt ", "wav"),
    "a long WAV": (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
    "MP3": (b"\xff\xfb\x90\xc4", "mp3"),
    "MP3 of low rates": (b"\xff\xf3\x90\xc4", "mp3"),
    "MP3 with tags": (b"ID3\x04\x00", "mp3"),
    "FLAC": (b"fLaC\x00", "flac"),
    "Ogg": (b"OggS\x00", "ogg"),
    "AAC": (b"\xff\xf1\x50\x80", None),
    "a text of 16 bits": (b"\xff\xfeh\x00", None),
    "JPEG": (b"\xff\xd8\xff\xe0", None),
    "WebP": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize(("data", "kind"), SOUNDS.values(), ids=SOUNDS)
def test_recordings_are_known_by_their_first_bytes(data: bytes, kind: str | None) -> None:
    assert kind_of_sound(data) == kind


@given(st.binary(max_size=20))
def test_any_bytes_have_one_kind_or_none(data: bytes) -> None:
    assert kind_of_image(data) in {"png", "jpeg", "webp", "gif", "bmp", None}
    assert kind_of_sound(data) in {"wav", "mp3", "flac", "ogg", None}
    assert not (kind_of_image(data) and kind_of_sound(data))


def test_images_pass() -> None:
    check_media([])
    check_media([PNG] * MOST_IMAGES)


BIG = PNG + b"\0" * (MOST_IMAGE_BYTES - len(PNG))
REFUSED: dict[str, tuple[Sequence[bytes], type[BadRequest], str]] = {
    "a browser's recording": (
        [b"\x1a\x45\xdf\xa3..."],
        BadRequest,
        "recording 0 is WebM",
    ),
    "a telephone's": ([PNG, b"\0\0\0\x20ftypM4A "], BadRequest, "recording 1 is MP4 .*: send WAV"),
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
        check_media(images)


def test_a_text_that_is_too_long_is_not_decoded() -> None:
    whole = base64.b64encode(BIG).decode()
    assert len(MediaData.parse(whole)) == MOST_IMAGE_BYTES
    with pytest.raises(TooLarge):
        MediaData.parse(whole + "!!!!" * 2)
