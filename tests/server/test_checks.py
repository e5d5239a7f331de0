"""What OLLAMA_ORIGINS may hold."""

from __future__ import annotations

import pytest

from puna.errors import PunaError
from puna.server.checks import parse_origins

BAD = {
    "no scheme": ("example.org", "bad origin"),
    "a blank in front": (" http://example.org", "bad origin"),
    "nothing": ("", "bad origin"),
    "unknown scheme": ("gopher://x", "bad origin"),
    "two stars": ("http://*.example.*", "only one *"),
}


@pytest.mark.parametrize(("entry", "text"), BAD.values(), ids=BAD)
def test_a_bad_entry_stops_the_start(entry: str, text: str) -> None:
    with pytest.raises(PunaError, match="OLLAMA_ORIGINS") as caught:
        parse_origins(["http://fine", entry])
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "entry", ["http://a", "https://a", "moz-extension://a", "*", "odd://*", "*.example.org"]
)
def test_good_entries(entry: str) -> None:
    assert parse_origins([entry]).allows(entry.replace("*", "x"))


def test_the_sides_of_a_star_do_not_overlap() -> None:
    rules = parse_origins(["http://aa*aa"])
    assert rules.allows("http://aaaa")
    assert not rules.allows("http://aa")


def test_entries_are_lower_cased_and_the_header_is_not() -> None:
    rules = parse_origins(["http://Example.org"])
    assert rules.allows("http://example.org")
    assert not rules.allows("http://Example.org")
