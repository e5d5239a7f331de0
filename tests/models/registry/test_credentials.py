"""Passwords from Docker's file: for their own registry, and never over the open network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from puna.errors import StoreError
from puna.models.registry.auth import Credentials
from puna.models.registry.credentials import (
    forget_credentials,
    read_credentials,
    write_credentials,
)
from puna.models.registry.origin import Registry

AUTH = {"auth": "bWU6YTpi"}
ME = Credentials("me", "a:b")

CASES = {
    "its own": ("https://r.example", {"r.example": AUTH}, ME),
    "with a port": ("https://r.example:5000", {"r.example:5000": AUTH}, ME),
    "another port": ("https://r.example:5000", {"r.example": AUTH}, None),
    "another host": ("https://s.example", {"r.example": AUTH}, None),
    "over http": ("http://r.example:5000", {"r.example:5000": AUTH}, None),
    "with any certificate": ("https://any.example", {"any.example": AUTH}, None),
    "over http on this machine": ("http://127.0.0.1:5000", {"127.0.0.1:5000": AUTH}, ME),
    "kept elsewhere": ("https://r.example", {"r.example": {}}, None),
    "no password": ("https://r.example", {"r.example": {"auth": "bWU="}}, None),
}


@pytest.mark.parametrize(("base", "auths", "found"), CASES.values(), ids=CASES)
def test_finding(
    tmp_path: Path, base: str, auths: dict[str, object], found: Credentials | None
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": auths, "credsStore": "desktop"}))
    registry = Registry(base, verify="any." not in base)
    assert read_credentials(path, registry) == found


DAMAGED = ["", "[]", "{", '{"auths":[]}', '{"auths":{"r.example":7}}', "[" * 100_000]
DAMAGED += [json.dumps({"auths": {"r.example": {"auth": auth}}}) for auth in ("%", "/w==", "a", 7)]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_files_are_passed_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    assert read_credentials(path, Registry("https://r.example")) is None


def test_no_file(tmp_path: Path) -> None:
    assert read_credentials(tmp_path / "config.json", Registry("https://r.example")) is None


def test_what_is_written_is_read_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    path, registry = tmp_path / "docker" / "config.json", Registry("https://r.example:5000")
    write_credentials(path, registry, ME)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_credentials(path, registry) == ME
    other = {"auths": {"s.example": AUTH}, "credsStore": "desktop", "proxies": {"a": 1}}
    path.write_text(json.dumps(other))
    write_credentials(path, registry, Credentials("you", "ü"))
    assert read_credentials(path, registry) == Credentials("you", "ü")
    assert forget_credentials(path, "R.example:5000")
    assert json.loads(path.read_text()) == other
    assert not forget_credentials(path, "r.example:5000")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"auths":7}'])
def test_a_damaged_file_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(StoreError, match="left alone"):
        write_credentials(path, Registry("https://r.example"), ME)
    assert path.read_text() == text
