"""Digests: both written forms are one value, everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import InvalidDigest
from puna.models.digest import Digest

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha256-{HEX}", f"sha256:{HEX.upper()}"])
def test_every_form_is_the_same_digest(text: str) -> None:
    digest = Digest.parse(text)
    assert str(digest) == f"sha256:{HEX}"
    assert digest.file_name == f"sha256-{HEX}"
    assert digest.short == "0123456789ab"


BAD = ["", HEX, f"sha512:{HEX}", f"sha256:{HEX[1:]}", f"sha256:{HEX}0", f"sha256:{HEX}\n",
       f"sha256_{HEX}", f"SHA256:{HEX}", "sha256:" + "g" * 64, "sha256:../../" + HEX[6:],
       "sha256:" + "٣" * 64]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest, match=r"^invalid digest format$"):
        Digest.parse(text)


def test_a_digest_cannot_be_made_of_other_text() -> None:
    with pytest.raises(InvalidDigest):
        Digest("../../etc/passwd")


@given(st.binary(max_size=64))
def test_digests_of_bytes_read_back(data: bytes) -> None:
    digest = Digest.of(data)
    assert Digest.parse(str(digest)) == Digest.parse(digest.file_name) == digest
