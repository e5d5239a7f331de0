"""What is signed, where it is sent, and where it is not."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from puna.errors import RegistryError
from puna.models.registry.auth import Credentials, check_realm, signed_text, token_url
from puna.models.registry.challenge import Challenge
from puna.models.registry.origin import Registry

CHALLENGE = Challenge(
    "bearer", "https://r.example/v2/token?account=me", "registry", "repo:foo:pull repo:bar:push"
)


def test_the_query_has_everything_in_order() -> None:
    url = token_url(CHALLENGE, 1_700_000_000, "abc-_")
    assert url == (
        "https://r.example/v2/token?account=me&nonce=abc-_&scope=repo%3Afoo%3Apull"
        "&scope=repo%3Abar%3Apush&service=registry&ts=1700000000"
    )
    assert parse_qs(urlsplit(url).query)["scope"] == CHALLENGE.scopes


def test_the_signed_text_ends_in_the_hash_of_nothing() -> None:
    assert signed_text("https://r.example/t?ts=1") == (
        "GET,https://r.example/t?ts=1,"
        "ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5NTk5MWI3ODUyYjg1NQ=="
    )


def test_a_name_and_a_password_make_a_header() -> None:
    assert Credentials("me", "pässword").header == "Basic bWU6cMOkc3N3b3Jk"


REALMS = {
    "the same host": ("https://r.example", "https://r.example/token", True),
    "the same host in another case": ("https://R.example", "https://r.Example:443/token", True),
    "another host": ("https://r.example", "https://evil.example/token", False),
    "another port": ("https://r.example:5000", "https://r.example/token", False),
    "a longer host": ("https://r.example", "https://r.example.evil/token", False),
    "a host in front": ("https://r.example", "https://r.example@evil.example/token", False),
    "Ollama's": ("https://registry.ollama.ai", "https://ollama.com/token", True),
    "Hugging Face's": ("https://hf.co", "https://huggingface.co/token", True),
    "not the other way": ("https://ollama.com", "https://registry.ollama.ai/token", False),
    "listed": ("https://r.example", "https://auth.example/token", True),
    "listed for another": ("https://s.example", "https://auth.example/token", False),
    "over http": ("https://r.example", "http://r.example:443/token", False),
    "a file": ("https://r.example", "file:///etc/passwd", False),
    "nothing": ("https://r.example", "", False),
}


@pytest.mark.parametrize(("base", "realm", "is_fine"), REALMS.values(), ids=REALMS)
def test_realms(base: str, realm: str, is_fine: bool) -> None:
    listed = ("r.example=auth.example",)
    if is_fine:
        check_realm(Registry(base), realm, listed)
    else:
        with pytest.raises(RegistryError):
            check_realm(Registry(base), realm, listed)


def test_the_refusal_names_both_hosts() -> None:
    with pytest.raises(RegistryError) as error:
        check_realm(Registry("https://r.example:5000"), "https://evil.example/t", ())
    assert str(error.value) == (
        'realm host "evil.example" does not match original host "r.example:5000"'
    )
