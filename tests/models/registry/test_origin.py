"""By which rules a registry is spoken to."""

from __future__ import annotations

import pytest

from puna.errors import BadRequest, InvalidName, RegistryError
from puna.models.registry.origin import Origin, origin_of, parse_registry, redirected

CASES = {
    "the default": ("llama3.2", False, ("https://registry.ollama.ai", True)),
    "another host": ("r.example:5000/n/m", False, ("https://r.example:5000", True)),
    "insecure is http": ("r.example/n/m", True, ("http://r.example", False)),
    "a public one is never insecure": ("llama3.2", True, ("https://registry.ollama.ai", True)),
    "whatever its case": ("HF.co/u/m", True, ("https://HF.co", True)),
    "unless that is written": ("https://hf.co/u/m", True, ("https://hf.co", False)),
    "http as written": ("http://r.example/n/m", True, ("http://r.example", False)),
    "https as written": ("https://r.example/n/m:t", False, ("https://r.example", True)),
    "https with any certificate": ("https://r.example/n/m", True, ("https://r.example", False)),
}


@pytest.mark.parametrize(("text", "insecure", "found"), CASES.values(), ids=CASES)
def test_registries(text: str, insecure: bool, found: tuple[str, bool]) -> None:
    registry = parse_registry(text, insecure)
    assert (registry.base, registry.verify) == found


REFUSED = {
    "http alone": ("http://r.example/n/m", BadRequest, "insecure protocol http"),
    "a file": ("file://h/n/m", BadRequest, "unsupported protocol scheme: file"),
    "no name": ("https://r.example/m", InvalidName, "invalid model name"),
    "a port that is none": ("r.example:https/n/m", RegistryError, "invalid address"),
}


@pytest.mark.parametrize(("text", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_refusals(text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        parse_registry(text, insecure=False)


def test_ports_are_part_of_an_origin() -> None:
    assert origin_of("https://R.example/x?y") == Origin("https", "r.example", 443)
    assert origin_of("https://r.example:443") == origin_of("https://r.example")
    assert origin_of("https://r.example:444") != origin_of("https://r.example")
    assert origin_of("http://[::1]:80/").authority == "[::1]"


def test_redirects() -> None:
    assert redirected("https://r.example/a/b", "/c", insecure=False) == "https://r.example/c"
    assert redirected("http://r.example/a", "http://s.example/b", insecure=True)
    with pytest.raises(RegistryError, match="from https to http"):
        redirected("https://r.example/a", "http://s.example/b", insecure=False)
    for place in ("file:///etc/passwd", "ftp://s.example/x", "https://s.example:x/"):
        with pytest.raises(RegistryError):
            redirected("https://r.example/a", place, insecure=True)
