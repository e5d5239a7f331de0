"""What is fetched from the web, and what never is. The web is a real server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from puna.client.outside import Outside
from puna.errors import FetchRefused
from tests.fakes.pictures import PNG, Page, Web, web

TYPES = ("image/",)
LIMIT = 1000


@pytest.fixture
def pictures() -> Iterator[Web]:
    with web() as some:
        some.pages["/a.png"] = Page()
        yield some


def names(**addresses: Sequence[str]) -> object:
    """A resolver that knows these names."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses[host.partition(".")[0]]

    return resolve


def fetch(url: str, *hosts: str, resolve: object = None) -> bytes:
    async def scene() -> bytes:
        async with Outside("test", hosts, resolve) as outside:  # type: ignore[arg-type]
            return await outside.fetch(url, LIMIT, TYPES)

    return asyncio.run(scene())


def refused(url: str, *hosts: str, resolve: object = None) -> str:
    with pytest.raises(FetchRefused) as error:
        fetch(url, *hosts, resolve=resolve)
    assert error.value.status == 400
    return str(error.value)


def test_a_picture_of_a_host_that_is_named(pictures: Web) -> None:
    assert fetch(pictures.url("/a.png"), "127.0.0.1") == PNG
    assert fetch(pictures.url("/a.png"), f"127.0.0.1:{pictures.port}") == PNG
    assert fetch(pictures.url("/a.png", "LOCALHOST"), "localhost") == PNG


def test_the_connection_goes_to_the_address_that_was_judged(pictures: Web) -> None:
    """A name is asked for once: whoever answers otherwise the second time gains nothing."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    url = pictures.url("/a.png", "pictures.example")
    assert fetch(url, "pictures.example", resolve=resolve) == PNG
    assert asked == ["pictures.example"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "0", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_never_asked(pictures: Web, host: str) -> None:
    assert "its host is not a public one" in refused(pictures.url("/a.png", host), "on")
    assert pictures.seen == []


def test_one_private_address_among_others_is_enough(pictures: Web) -> None:
    url = pictures.url("/a.png", "mixed.example")
    resolve = names(mixed=["1.1.1.1", "127.0.0.1"])
    assert "its host is not a public one" in refused(url, "on", resolve=resolve)
    assert "its host is not a public one" in refused(url, "on", resolve=names(mixed=[]))
    assert pictures.seen == []


def test_only_hosts_that_are_named_are_asked(pictures: Web) -> None:
    url = pictures.url("/a.png")
    assert "not one that PUNA_IMAGE_URLS names" in refused(url, "other.example")
    assert "not one that PUNA_IMAGE_URLS names" in refused(url, "127.0.0.1:1")
    assert pictures.seen == []


def test_redirects_are_judged_as_well(pictures: Web) -> None:
    with web() as inner:
        inner.pages["/secret"] = Page()
        pictures.pages["/away"] = Page(b"", 302, {"Location": inner.url("/secret", "localhost")})
        named = f"127.0.0.1:{pictures.port}"
        assert "its host is not a public one" in refused(pictures.url("/away"), "on", named)
        assert inner.seen == []
    pictures.pages["/near"] = Page(b"", 307, {"Location": "/a.png"})
    assert fetch(pictures.url("/near"), named) == PNG
    pictures.pages["/round"] = Page(b"", 302, {"Location": "/round"})
    assert "more than 3 redirects" in refused(pictures.url("/round"), named)
    pictures.pages["/file"] = Page(b"", 302, {"Location": "file:///etc/passwd"})
    assert "no http or https address" in refused(pictures.url("/file"), named)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(b"", 404), "the server answered 404"),
        (Page(b"<html>", headers={"Content-Type": "text/html"}), "another content type"),
        (Page(headers={}), "another content type"),
        (Page(b"x" * 1001), "larger than 1000 bytes"),
        (Page(b"x" * 100_000, length=False, hold=True), "larger than 1000 bytes"),
    ],
)
def test_answers_that_are_not_taken(pictures: Web, page: Page, reason: str) -> None:
    pictures.pages["/b.png"] = page
    assert reason in refused(pictures.url("/b.png"), "127.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/a.png",
        "http://me:secret@127.0.0.1/a.png",
        "http:///a.png",
        "http://127.0.0.1/a b.png",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/" + "a" * 9000,
        "http://[::1/",
    ],
)
def test_addresses_that_mean_nothing(url: str) -> None:
    assert "secret" not in refused(url, "127.0.0.1", "on")


def test_a_host_that_does_not_answer() -> None:
    with web() as gone:
        url = gone.url("/a.png")
    refused(url, "127.0.0.1")
