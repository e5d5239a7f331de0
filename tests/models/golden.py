"""The documents whose digests the models spec (section 3.5) gives, and their values."""

from __future__ import annotations

import struct

from puna.models.digest import Digest
from puna.models.image_config import ImageConfig
from puna.models.manifest import CONFIG, MODEL, Layer, Manifest

GGUF_DIGEST = Digest("89a2116c3a82d6a97f59f748d86ed4417214353fd178ee54df418fde32495fad")
CONFIG_DIGEST = Digest("99759ad5b91e723db0393d698ffbb448b1b7df5ff6377a108c49254583b1bc8c")
MANIFEST_DIGEST = Digest("f75369d1dd1fb2f7c3db80c05854077604d2e78397dbe270fbe9d8a453ae62ff")

STRING = 8  # GGUF's number for a value of type string


def _text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


GGUF = (
    b"GGUF"
    + struct.pack("<IQQ", 3, 0, 1)
    + _text(b"general.architecture")
    + struct.pack("<I", STRING)
    + _text(b"test")
)
"""Version 3, no tensors, one key."""

IMAGE_CONFIG = ImageConfig(
    model_format="gguf",
    model_family="test",
    model_families=("test",),
    model_type="0",
    file_type="unknown",
)

MANIFEST = Manifest(
    config=Layer(CONFIG, CONFIG_DIGEST, 147), layers=(Layer(MODEL, GGUF_DIGEST, len(GGUF)),)
)
