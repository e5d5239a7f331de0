"""Pages as texts, of the hosts that were allowed."""

from __future__ import annotations

import pytest

from puna.agent.fence import Refused
from puna.agent.web import html_to_text, web_fetch
from tests.fakes.pictures import Page, web


def test_pages_become_text() -> None:
    page = """<!doctype html><html><head><title>T</title><script>x()</script></head><body>
    <h1>Head &amp; more</h1><p>one <b>two</b> <a href="https://a.example/">here</a></p>
    <style>p{}</style><ul><li>first<li>second</ul></body></html>"""
    assert html_to_text(page) == "Head & more\none two here (https://a.example/)\nfirst\nsecond"


def test_a_page_is_fetched() -> None:
    with web() as pages:
        pages.pages["/a"] = Page(b"<html><p>hi", headers={"Content-Type": "text/html; charset=x"})
        pages.pages["/c"] = Page(b"x", headers={"Content-Type": "image/png"})
        pages.pages["/b"] = Page(b"a" * 70_000, headers={"Content-Type": "text/plain"})
        assert web_fetch(pages.url("/a"), ("127.0.0.1",)) == "hi"
        assert web_fetch(pages.url("/b"), ("127.0.0.1",)).endswith("\n[10000 more characters]")
        with pytest.raises(Refused, match="the page was not fetched: it has another"):
            web_fetch(pages.url("/c"), ("127.0.0.1",))


def test_a_page_that_leads_to_another_host_is_not_fetched() -> None:
    """One host was allowed; what it leads to must be asked for."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with web() as pages:
        text = {"Content-Type": "text/plain"}
        pages.pages["/there"] = Page(b"", 302, {"Location": pages.url("/a", "two.example")})
        pages.pages["/near"] = Page(b"", 302, {"Location": "/a"})
        pages.pages["/a"] = Page(b"hi", headers=text)
        hosts = ("one.example", "two.example")
        assert web_fetch(pages.url("/near", "one.example"), hosts, resolve) == "hi"
        with pytest.raises(Refused, match=r"it leads to another host: http://two\.example:\d+/a"):
            web_fetch(pages.url("/there", "one.example"), hosts, resolve)
        assert len(pages.seen) == 3
