"""Images that a request names by an address: fetched, and put where they are named.

Afterwards a request holds what a client would have sent that has the images itself, in its own
API's form. Facts: compatibility spec, 2.3, 9.2 and 9.7.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

from starlette.types import Receive

from puna.api.media import kind_of_image
from puna.errors import Cancelled, Closing, FetchRefused, InvalidField
from puna.server.until import Ending, until_unwanted

__all__ = ["IMAGE_TYPES", "FetchImage", "fill_images", "with_images"]

FetchImage = Callable[[str], Awaitable[bytes]]
"""The bytes at an address. Raises FetchRefused."""

IMAGE_TYPES = ("image/", "application/octet-stream", "binary/octet-stream")
"""How the content types of images begin, and those of servers that do not know."""

_MOST = 16  # in one request: each is a connection


class _Message(Protocol):
    content: Any


async def fill_images(
    messages: Sequence[_Message], fetch: FetchImage | None, receive: Receive, closing: asyncio.Event
) -> None:
    """Put the images of messages in place of their addresses. Raises what with_images does."""
    contents = await with_images([each.content for each in messages], fetch, receive, closing)
    for message, content in zip(messages, contents, strict=True):
        message.content = content


async def with_images(
    value: Any, fetch: FetchImage | None, receive: Receive, closing: asyncio.Event
) -> Any:
    """`value` with the images in place of their addresses; without `fetch` as it is.

    Messages, items and blocks are looked through at any depth. Nothing is fetched any more once the
    client hangs up. Raises InvalidField, Cancelled, and Closing where the server ends.
    """
    urls = dict.fromkeys(_urls(value)) if fetch is not None else {}
    if fetch is None or not urls:
        return value
    if len(urls) > _MOST:
        raise InvalidField(f"at most {_MOST} images of a request may be addresses", "image_url")
    found: dict[str, str] = {}
    failures: list[FetchRefused] = []

    async def get(url: str) -> None:
        try:
            data = await fetch(url)
            if kind_of_image(data) is None:
                raise FetchRefused(url, "it is no image of a known kind")
            found[url] = base64.b64encode(data).decode()
        except FetchRefused as cause:
            failures.append(cause)

    async def get_all() -> None:
        async with asyncio.TaskGroup() as group:
            for url in urls:
                group.create_task(get(url))

    match await until_unwanted(get_all(), receive, closing):
        case Ending.HUNG_UP:
            raise Cancelled
        case Ending.CLOSING:
            raise Closing
    if failures:
        raise failures[0]
    return _replaced(value, found)


def _url_of(value: dict[str, Any]) -> str:
    """The address that an image's part or block has; else nothing."""
    match value:
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            pass
        case {"type": "input_image", "image_url": str(url)}:
            pass
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            pass
        case _:
            return ""
    return url if url[:8].lower().startswith(("http://", "https://")) else ""


def _urls(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if url := _url_of(value):
                yield url
            else:
                for item in value.values():
                    yield from _urls(item)
        case list():
            for item in value:
                yield from _urls(item)


def _replaced(value: Any, found: dict[str, str]) -> Any:
    match value:
        case dict() if url := _url_of(value):
            if value["type"] == "image":
                return value | {"source": {"type": "base64", "data": found[url]}}
            data = f"data:;base64,{found[url]}"
            is_nested = isinstance(value["image_url"], dict)
            return value | {"image_url": {"url": data} if is_nested else data}
        case dict():
            return {key: _replaced(item, found) for key, item in value.items()}
        case list():
            return [_replaced(item, found) for item in value]
    return value
