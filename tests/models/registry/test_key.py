"""The key: made once, found where it is, refused where it is none."""

from __future__ import annotations

import base64
import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from puna.errors import RegistryError
from puna.models.registry.key import Key, KeyStore


def private_bytes(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )


def with_passphrase(private: bytes) -> bytes:
    """The same file, saying that it is encrypted."""
    begin, *lines, end = private.splitlines()
    plain = b"\0\0\0\x04none\0\0\0\x04none\0\0\0\0"
    cipher = b"\0\0\0\x0aaes256-ctr\0\0\0\x06bcrypt\0\0\0\x18\0\0\0\x10" + bytes(16)
    body = base64.b64decode(b"".join(lines)).replace(plain, cipher + b"\0\0\0\x01", 1)
    return b"\n".join([begin, base64.b64encode(body), end, b""])


def test_a_key_is_made_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    home = tmp_path / "home"
    first = KeyStore([home]).key()
    assert KeyStore([home]).key().public_line == first.public_line
    private, public = home / "id_ed25519", home / "id_ed25519.pub"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public.read_text() == first.public_line + "\n"
    assert [record.message for record in caplog.records] == [
        f"Your new public key is: {first.public_line}"
    ]
    assert sorted(path.name for path in home.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_all_who_make_one_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: KeyStore([tmp_path]).key().public_line, range(8)))
    assert len(set(keys)) == 1


def test_a_key_that_is_there_is_used(tmp_path: Path) -> None:
    theirs = KeyStore([tmp_path / "theirs"]).key()
    store = KeyStore([tmp_path / "ours", tmp_path / "theirs"])
    assert store.key().public_line == theirs.public_line
    assert not (tmp_path / "ours").exists()


def test_the_signature_is_the_keys() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    public, _, signature = Key(private_bytes(private)).sign("GET,x").partition(":")
    wire = base64.b64decode(public)
    assert wire[:15] == b"\0\0\0\x0bssh-ed25519"
    assert wire[-32:] == private.public_key().public_bytes_raw()
    private.public_key().verify(base64.b64decode(signature), b"GET,x")


BAD = {
    "nothing": b"",
    "no key": b"hello\n" * 100,
    "another kind": private_bytes(rsa.generate_private_key(65537, 1024)),
    "with a passphrase": with_passphrase(private_bytes(ed25519.Ed25519PrivateKey.generate())),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_bad_keys_are_errors_that_name_the_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "id_ed25519"
    path.write_bytes(raw)
    with pytest.raises(RegistryError, match=str(path)):
        KeyStore([tmp_path]).key()
    assert path.read_bytes() == raw
