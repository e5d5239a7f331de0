"""The ed25519 key by which registries know this user. Facts: models spec, section 7.3.

A key of the reference that is there already is used; else one is made in Puna's own folder.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from puna.errors import RegistryError
from puna.models.durable import create_temp, make_folders, sync_folder, write_all

__all__ = ["Key", "KeyStore"]

log = logging.getLogger(__name__)

FILE_NAME = "id_ed25519"
MAX_BYTES = 64 * 1024


class Key:
    """An ed25519 key pair. Raises RegistryError for bytes that are not an OpenSSH key of it."""

    def __init__(self, private: bytes) -> None:
        # 40 ms that only signing needs
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

        try:
            key = serialization.load_ssh_private_key(private, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as cause:  # TypeError: a passphrase
            raise RegistryError(f"the key cannot be read: {cause}") from cause
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise RegistryError("the key is not an ed25519 key")
        self._key = key
        line = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        self.public_line = line.decode()
        """The key as `authorized_keys` and accounts take it."""

    def sign(self, text: str) -> str:
        """What goes into `Authorization`: the public key and the signature of `text`."""
        signature = base64.b64encode(self._key.sign(text.encode())).decode()
        return f"{self.public_line.split()[1]}:{signature}"


class KeyStore:
    """Finds the key in the first of `folders` that has one, or makes it in the first."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(folders)

    def key(self) -> Key:
        """The key. Blocks. Raises RegistryError where it cannot be read or made."""
        for folder in self._folders:
            path = folder / FILE_NAME
            with contextlib.suppress(FileNotFoundError):
                return _read(path)
        path = self._folders[0] / FILE_NAME
        try:
            _make(path)
        except OSError as cause:
            raise RegistryError(f"cannot make the key {path}: {cause}") from cause
        key = _read(path)
        log.info("Your new public key is: %s", key.public_line)
        return key


def _read(path: Path) -> Key:
    try:
        with path.open("rb") as file:
            return Key(file.read(MAX_BYTES))
    except FileNotFoundError:
        raise
    except (OSError, RegistryError) as cause:
        raise RegistryError(f"cannot use the key {path}: {cause}") from cause


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    make_folders(path.parent)
    if _link_new(path, private, 0o600):  # else another process was quicker: its key is ours
        _link_new(path.with_suffix(".pub"), public + b"\n", 0o644)


def _link_new(path: Path, data: bytes, mode: int) -> bool:
    """Write a new file in one step; False when there is one already."""
    handle, temp = create_temp(path.parent, f"{path.name}.", mode)
    try:
        write_all(handle, data)
        os.fsync(handle)
        path.hardlink_to(temp)
    except FileExistsError:
        return False
    finally:
        os.close(handle)
        temp.unlink()
    sync_folder(path.parent)
    return True
