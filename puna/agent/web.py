"""Fetching a page of the web for the agent: public addresses only, and HTML as text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from html.parser import HTMLParser

from puna.agent.fence import Refused
from puna.client.outside import ANY_PUBLIC, Outside, Resolve
from puna.client.transport import user_agent
from puna.errors import FetchRefused

__all__ = ["html_to_text", "web_fetch"]

_MOST_BYTES = 4 * 1024 * 1024
_MOST_CHARACTERS = 60_000
_KINDS = ("text/", "application/json", "application/xhtml+xml", "application/xml")
_UNSEEN = frozenset(["script", "style", "noscript", "template", "svg", "head"])
_BLOCKS = frozenset(
    [
        *("address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p"),
        *("pre", "section", "table", "tr", "ul"),
    ]
)


def web_fetch(
    url: str, hosts: Sequence[str] = (ANY_PUBLIC,), resolve: Resolve | None = None
) -> str:
    """The text at an address, from `hosts` as Outside has them; redirects stay at its host, for
    which alone it was allowed. Raises Refused.
    """

    async def fetch() -> bytes:
        async with Outside(user_agent(), hosts, resolve) as outside:
            return await outside.fetch(url, _MOST_BYTES, _KINDS, stays=True)

    try:
        data = asyncio.run(fetch())
    except FetchRefused as error:
        raise Refused(f"the page was not fetched: {error.reason}") from error
    text = data.decode("utf-8", "replace")
    if "<html" in text[:2048].lower() or "<!doctype html" in text[:2048].lower():
        text = html_to_text(text)
    more = len(text) - _MOST_CHARACTERS
    return text[:_MOST_CHARACTERS] + (f"\n[{more} more characters]" if more > 0 else "")


def html_to_text(page: str) -> str:
    """What a page says, without its markup; a line for each block, links with their addresses."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    """Collects the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: list[str] = []
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag == "body":
            self._unseen.clear()  # a head whose end was left out
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a" and self._links:
            address = self._links.pop()
            if address.startswith(("http://", "https://")):
                self.parts.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)
