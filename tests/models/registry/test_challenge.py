"""Reading what registries want to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.models.registry.challenge import Challenge, parse_challenge

OLLAMA = Challenge("bearer", "https://r.example/v2/token", "ollama", "-")

CASES = {
    "three values": (
        'Bearer realm="https://r.example/v2/token",service="ollama",scope="-"',
        OLLAMA,
    ),
    "blanks and another case": (
        'bearer  Realm="https://r.example/v2/token", service="ollama" , scope="-"',
        OLLAMA,
    ),
    "without quotes": ("Bearer realm=https://r.example/v2/token,service=ollama,scope=-", OLLAMA),
    "nothing": ("", Challenge()),
    "only the word": ("Bearer", Challenge("bearer")),
    "a comma inside": (
        'Bearer realm="https://r",scope="repository:a:pull,push"',
        Challenge("bearer", "https://r", "", "repository:a:pull,push"),
    ),
    "a quote inside": ('Bearer realm="a"b",service="c"', Challenge("bearer", 'a"b', "c")),
    "basic": ('Basic realm="models"', Challenge("basic", "models")),
    "a token is preferred": (
        'Basic realm="models", Bearer realm="https://r",service="s"',
        Challenge("bearer", "https://r", "s"),
    ),
    "another way": ('Digest realm="models",nonce="1"', Challenge()),
}


@pytest.mark.parametrize(("header", "challenge"), CASES.values(), ids=CASES)
def test_headers(header: str, challenge: Challenge) -> None:
    assert parse_challenge(header) == challenge


def test_scopes_are_split() -> None:
    assert Challenge(scope="repo:foo:pull repo:bar:push").scopes == [
        "repo:foo:pull",
        "repo:bar:push",
    ]


@given(st.text(st.sampled_from('Bearer Basic realm="",=x '), max_size=300))
def test_any_header_can_be_read(header: str) -> None:
    assert parse_challenge(header).kind in {"", "bearer", "basic"}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", ['realm="', "a=", '",', "Bearer ,", " "])
def test_long_headers_take_no_time(piece: str) -> None:
    parse_challenge("Bearer " + piece * 1_000_000)
