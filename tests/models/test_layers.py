"""A whole model: golden layers, what wins when there are several, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.errors import BadManifest, BlobMissing, ModelNotFound
from puna.gojson import Fields, Json
from puna.models.digest import Digest
from puna.models.image_config import ImageConfig, encode_image_config
from puna.models.layers import (
    MAX_TEXT_BYTES,
    Model,
    encode_messages,
    encode_params,
    load_model,
    parse_messages,
    parse_params,
    read_model,
)
from puna.models.library import Library
from puna.models.manifest import (
    ADAPTER,
    CONFIG,
    DRAFT,
    EMBED,
    LICENSE,
    MESSAGES,
    MODEL,
    PARAMS,
    PROJECTOR,
    PROMPT,
    SYSTEM,
    TEMPLATE,
    Layer,
    Manifest,
)
from puna.models.name import Name
from tests.models.golden import GGUF, GGUF_DIGEST, IMAGE_CONFIG, MANIFEST, MANIFEST_DIGEST

STOPS = ["USER:", "ASSISTANT:"]
MERGED: dict[str, Json] = {
    "stop": ["<|endoftext|>"],
    "temperature": 0.6,
    "top_p": 0.7,
    "top_k": 10,
}
SAID = [
    Fields(role="assistant", content="What is my purpose?"),
    Fields(role="user", content="You run tests."),
    Fields(role="assistant", content="Oh, my god."),
]

GOLDEN = {
    "params": (
        encode_params({"top_k": 10, "temperature": 1.0, "stop": STOPS}),
        "1d0ad71299d48c2fb7ae2b98e683643e771f8a5b72be34942af90d97a91c1e37",
    ),
    "params with markup": (
        encode_params(MERGED),
        "12f58bb75cb3042d69a7e013ab87fb3c3c7088f50ddc62f0c77bd332f0d44d35",
    ),
    "template": (
        b"{{ .Prompt }}",
        "b507b9c2f6ca642bffcd06665ea7c91f235fd32daeefdf875a0f938db05fb315",
    ),
    "system": (b"Say hi!", "f29e82a8284dbdf5910b1555580ff60b04238b8da9d5e51159ada67a4d0d5851"),
    "messages": (
        encode_messages(SAID),
        "298baeaf6928a60cf666d88d64a1ba606feb43a2865687c39e40652e407bffc4",
    ),
}


@pytest.mark.parametrize(("raw", "digest"), GOLDEN.values(), ids=GOLDEN)
def test_golden_layers(raw: bytes, digest: str) -> None:
    assert Digest.of(raw).hex == digest


@pytest.mark.parametrize(
    ("text", "digits"), [(b"MIT", "e5dcffe836b6"), (b"Apache-2.0", "2af71558e438")]
)
def test_golden_licenses(text: bytes, digits: str) -> None:
    assert Digest.of(text).short == digits


def test_numbers_of_params_are_doubles() -> None:
    raw = encode_params({"seed": 12345678901234567890, "use_mmap": True, "num_ctx": 2**53})
    assert raw == b'{"num_ctx":9007199254740992,"seed":12345678901234567000,"use_mmap":true}\n'


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def install(library: Library, *layers: tuple[str, bytes]) -> Name:
    """A model with the golden config and these layers, each from `parent`."""
    stored = []
    for media_type, data in layers:
        digest, _ = library.blobs.add(data)
        stored.append(Layer(media_type, digest, len(data), "parent"))
    raw = encode_image_config(IMAGE_CONFIG)
    config = Layer(CONFIG, library.blobs.add(raw).digest, len(raw))
    return library.write(Name.parse("m"), Manifest(config, tuple(stored)))


def load(library: Library, *layers: tuple[str, bytes]) -> Model:
    return load_model(library, install(library, *layers))


def test_the_golden_model(library: Library) -> None:
    library.blobs.add(GGUF)
    library.blobs.add(encode_image_config(IMAGE_CONFIG))
    library.write(Name.parse("test"), MANIFEST)
    model = load_model(library, Name.parse("test"))
    assert model.stored.digest == MANIFEST_DIGEST.hex
    assert model.config == IMAGE_CONFIG
    assert model.name.short == "test:latest"
    assert model.weights is not None
    assert model.weights.digest == GGUF_DIGEST
    assert model.weights.path.read_bytes() == GGUF
    assert (model.template, model.system, model.params, model.messages) == (None, "", {}, ())


def test_what_wins_and_what_adds_up(library: Library) -> None:
    model = load(
        library,
        (MODEL, b"first"),
        (MODEL, GGUF),
        (PROJECTOR, b"p1"),
        (PROJECTOR, b"p2"),
        (ADAPTER, b"a1"),
        (DRAFT, b"d1"),
        (DRAFT, b"d2"),
        (TEMPLATE, b"one"),
        (PROMPT, b"two \xff"),
        (SYSTEM, b"be brief"),
        (SYSTEM, b"be kind"),
        (PARAMS, b'{"temperature":1,"top_k":10,"stop":["a","b"]}'),
        (PARAMS, b'{"temperature":0.6,"stop":["c"]}'),
        (MESSAGES, b'[{"role":"USER","content":"old"}]'),
        (MESSAGES, b'[{"role":"User","content":"hi","images":["aGk="]},{"role":"assistant"}]'),
        (LICENSE, b"MIT"),
        (LICENSE, b"Apache-2.0"),
        (EMBED, b"obsolete"),
        ("application/x.unknown", b"?"),
    )
    assert model.weights is not None
    assert (model.weights.digest, model.weights.parent) == (GGUF_DIGEST, "parent")
    assert [weights.path.read_bytes() for weights in model.projectors] == [b"p1", b"p2"]
    assert [weights.path.read_bytes() for weights in model.adapters] == [b"a1"]
    assert model.draft is not None
    assert model.draft.path.read_bytes() == b"d2"
    assert model.template == "two \ufffd"
    assert model.system == "be kind"
    assert model.params == {"temperature": 0.6, "top_k": 10, "stop": ["c"]}
    assert model.messages == (
        {"role": "user", "content": "hi", "images": ["aGk="]},
        {"role": "assistant", "content": ""},
    )
    assert model.licenses == ("MIT", "Apache-2.0")


def test_an_empty_manifest_is_an_empty_model(library: Library) -> None:
    library.write_raw(Name.parse("m"), b"{}")
    model = load_model(library, Name.parse("m"))
    assert (model.config, model.weights) == (ImageConfig(), None)


def test_an_unknown_model(library: Library) -> None:
    with pytest.raises(ModelNotFound):
        load_model(library, Name.parse("m"))


def test_missing_weights_stop_loading_but_not_listing(library: Library) -> None:
    name = install(library, (MODEL, GGUF), (SYSTEM, b"hi"))
    library.blobs.discard(GGUF_DIGEST)
    assert read_model(library, library.read(name)).system == "hi"
    with pytest.raises(BlobMissing, match=str(GGUF_DIGEST)):
        load_model(library, name)


def test_a_missing_text_stops_both(library: Library) -> None:
    name = install(library, (SYSTEM, b"hi"))
    library.blobs.discard(Digest.of(b"hi"))
    with pytest.raises(BlobMissing):
        read_model(library, library.read(name))


def test_a_huge_text_is_refused(library: Library) -> None:
    with pytest.raises(BadManifest, match="too large"):
        load(library, (SYSTEM, b"x" * (MAX_TEXT_BYTES + 1)))


@pytest.mark.parametrize("raw", [b"", b"[1]", b'"x"', b'{"a":1e999}'])
def test_damaged_params(raw: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_params(raw)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'[{"role":1}]'])
def test_damaged_messages(raw: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_messages(raw)


def test_messages_may_be_null() -> None:
    assert parse_messages(b"null") == ()
