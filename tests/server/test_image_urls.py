"""Images that requests name by an address, on every route that takes images."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest
from puna.errors import FetchRefused
from tests.fakes.asgi import Call
from tests.fakes.pictures import PNG
from tests.server.scripted import client, run

URL = "https://pictures.example/a.png"
Fetch = Callable[[str], Awaitable[bytes]]


async def picture(url: str) -> bytes:
    return PNG


def chat(url: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"messages": [{"role": "user", "content": parts}]}


def bare(url: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]}


def item(url: str) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}


def result(url: str) -> dict[str, Any]:
    output = [{"type": "input_image", "image_url": url}]
    return {"input": [{"type": "function_call_output", "call_id": "f", "output": output}]}


def block(url: str) -> dict[str, Any]:
    image = {"type": "image", "source": {"type": "url", "url": url}}
    return {"max_tokens": 5, "messages": [{"role": "user", "content": [image]}]}


def nested(url: str) -> dict[str, Any]:
    image = {"type": "image", "source": {"type": "url", "url": url}}
    inner = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    return {"max_tokens": 5, "messages": [{"role": "user", "content": [inner]}]}


ROUTES = [
    ("/v1/chat/completions", chat),
    ("/v1/chat/completions", bare),
    ("/v1/responses", item),
    ("/v1/responses", result),
    ("/v1/messages", block),
    ("/v1/messages", nested),
]


def post(path: str, body: dict[str, Any], fetch: Fetch | None) -> tuple[Call, list[ChatRequest]]:
    orders: list[ChatRequest] = []

    async def answer(order: ChatRequest) -> AsyncGenerator[Event, None]:
        orders.append(order)
        yield Done("stop")

    app = client(chat=answer, fetch_image=fetch)
    return run(app.request("POST", path, {"model": "m"} | body)), orders


@pytest.mark.parametrize(("path", "body"), ROUTES)
def test_an_address_becomes_the_image(path: str, body: Callable[[str], Any]) -> None:
    reply, (order,) = post(path, body(URL), picture)
    assert reply.status == 200
    assert [image for message in order.messages for image in message.images] == [PNG]


@pytest.mark.parametrize(("path", "body"), ROUTES)
def test_unless_it_is_allowed_addresses_are_refused(path: str, body: Callable[[str], Any]) -> None:
    reply, orders = post(path, body(URL), None)
    assert (reply.status, orders) == (400, [])
    told = reply.json["error"]["message"]
    assert "image URLs are not currently supported" in told or "Only base64 images" in told


@pytest.mark.parametrize(("path", "body"), ROUTES)
@pytest.mark.parametrize("data", [b"<html>", FetchRefused(URL, "it is gone")])
def test_what_cannot_be_fetched_is_an_error(
    path: str, body: Callable[[str], Any], data: bytes | Exception
) -> None:
    async def fetch(url: str) -> bytes:
        if isinstance(data, Exception):
            raise data
        return data

    reply, orders = post(path, body(URL), fetch)
    assert (reply.status, orders) == (400, [])
    assert "was not fetched: it is" in reply.json["error"]["message"]


def test_one_address_is_fetched_once_and_many_are_refused() -> None:
    asked: list[str] = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        return PNG

    def parts(*urls: str) -> dict[str, Any]:
        content = [{"type": "image_url", "image_url": url} for url in urls]
        return {"messages": [{"role": "user", "content": content}]}

    reply, (order,) = post("/v1/chat/completions", parts(URL, URL), fetch)
    assert (reply.status, asked, len(order.messages[0].images)) == (200, [URL], 2)
    reply, _ = post("/v1/chat/completions", parts(*(f"{URL}?{n}" for n in range(17))), fetch)
    assert reply.status == 400
    assert len(asked) == 1


def test_data_is_no_address() -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    reply, (order,) = post("/v1/chat/completions", chat(url), picture)
    assert reply.status == 200
    assert order.messages[0].images == [PNG]
