"""Config blobs: golden bytes, what is left out when empty, and old blobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadManifest
from puna.models.digest import Digest
from puna.models.image_config import (
    DraftConfig,
    ImageConfig,
    encode_image_config,
    parse_image_config,
)
from tests.models.golden import CONFIG_DIGEST, GGUF, GGUF_DIGEST, IMAGE_CONFIG


def test_the_golden_file_and_its_config() -> None:
    assert Digest.of(GGUF) == GGUF_DIGEST
    raw = encode_image_config(IMAGE_CONFIG)
    assert len(raw) == 147
    assert Digest.of(raw) == CONFIG_DIGEST
    assert parse_image_config(raw) == IMAGE_CONFIG


def test_a_remote_stub_has_no_families() -> None:
    raw = encode_image_config(ImageConfig(remote_host="https://h:443", remote_model="m"))
    assert raw == (
        b'{"model_format":"","model_family":"","model_families":null,"model_type":"",'
        b'"file_type":"","remote_host":"https://h:443","remote_model":"m",'
        b'"architecture":"amd64","os":"linux"}\n'
    )


def test_every_field_in_its_order() -> None:
    config = ImageConfig(
        "gguf", "f", ("f", "g"), "8.0B", "Q4_K_M", "r", "p", "0.14.0", "h", "m",
        ("tools",), 4096, 64, "b", DraftConfig("gguf", tensor_prefix="mtp."),
    )  # fmt: skip
    assert encode_image_config(config) == (
        b'{"model_format":"gguf","model_family":"f","model_families":["f","g"],'
        b'"model_type":"8.0B","file_type":"Q4_K_M","renderer":"r","parser":"p",'
        b'"requires":"0.14.0","remote_host":"h","remote_model":"m","capabilities":["tools"],'
        b'"context_length":4096,"embedding_length":64,"base_name":"b",'
        b'"draft":{"model_format":"gguf","tensor_prefix":"mtp."},'
        b'"architecture":"amd64","os":"linux"}\n'
    )


def test_old_blobs_carry_more() -> None:
    raw = b'{"model_format":"gguf","model_families":null,"rootfs":{"type":"layers","diff_ids":[]}}'
    assert parse_image_config(raw) == ImageConfig(model_format="gguf", architecture="", os="")


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"model_family":1}', b'{"capabilities":[1]}',
                                 b'{"draft":[]}', b'{"context_length":"4096"}'])  # fmt: skip
def test_damage_is_named(raw: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_image_config(raw)


@given(st.from_type(ImageConfig))
def test_what_is_written_reads_back(config: ImageConfig) -> None:
    sound = abs(config.context_length), abs(config.embedding_length)
    config = ImageConfig(
        model_family=config.model_family,
        model_families=config.model_families,
        capabilities=config.capabilities,
        context_length=sound[0] % 2**63,
        embedding_length=sound[1] % 2**63,
        draft=config.draft,
        os=config.os,
    )
    assert parse_image_config(encode_image_config(config)) == config
