"""The bytes of /api/embed and /api/embeddings, and clients that hang up."""

from __future__ import annotations

import asyncio
import json
from array import array
from typing import Any

import pytest

from puna.api.requests import EmbeddingsRequest, EmbedRequest
from puna.errors import BadRequest
from puna.service.embedding import Embedded, Vector
from tests.server.scripted import client, run


def test_the_body() -> None:
    async def embed(order: EmbedRequest) -> Embedded:
        assert (order.model, order.input, order.dimensions) == ("M", ["a", "b"], 2)
        assert order.truncate is False
        return Embedded([array("f", [0.5, -1]), array("f", [0, 0.25])], 30, 20, 10)

    body = {"model": "M", "input": ["a", "b"], "dimensions": 2, "truncate": False}
    reply = run(client(embed=embed).request("POST", "/api/embed", body))
    assert reply.body == (
        b'{"model":"M","embeddings":[[0.5,-1.0],[0.0,0.25]],'
        b'"total_duration":30,"load_duration":20,"prompt_eval_count":10}'
    )
    assert reply.header("content-type") == "application/json; charset=utf-8"


def test_figures_of_nothing_are_left_out() -> None:
    async def embed(order: EmbedRequest) -> Embedded:
        return Embedded([])

    reply = run(client(embed=embed).request("POST", "/api/embed", {"model": "m"}))
    assert reply.body == b'{"model":"m","embeddings":[]}'


@pytest.mark.parametrize("numbers", [[], [0.5, 2.0]])
def test_the_older_form(numbers: list[float]) -> None:
    async def embeddings(order: EmbeddingsRequest) -> Vector:
        assert order.prompt == "a"
        return array("f", numbers)

    app = client(embeddings=embeddings)
    reply = run(app.request("POST", "/api/embeddings", {"model": "m", "prompt": "a"}))
    assert (reply.status, json.loads(reply.body)) == (200, {"embedding": numbers})


def test_numbers_of_32_bits_survive() -> None:
    vector = array("f", [0.1, 1 / 3, 1e-38, 3e38])

    async def embed(order: EmbedRequest) -> Embedded:
        return Embedded([vector] * 100)

    reply = run(client(embed=embed).request("POST", "/api/embed", {"model": "m"}))
    assert [array("f", each) for each in reply.json["embeddings"]] == [vector] * 100


@pytest.mark.parametrize("path", ["/api/embed", "/api/embeddings"])
def test_errors(path: str) -> None:
    async def refuse(order: object) -> Any:
        raise BadRequest("no")

    app = client(embed=refuse, embeddings=refuse)
    reply = run(app.request("POST", path, {"model": "m"}))
    assert (reply.status, reply.body) == (400, b'{"error":"no"}')
    assert run(app.request("POST", path, b"")).json == {"error": "missing request body"}


@pytest.mark.parametrize("path", ["/api/embed", "/api/embeddings"])
def test_hanging_up_ends_the_work(path: str) -> None:
    async def scene() -> None:
        reached, ended = asyncio.Event(), asyncio.Event()

        async def wait(order: object) -> Any:
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with client(embed=wait, embeddings=wait).open("POST", path, {"model": "m"}) as call:
            await reached.wait()
            call.hang_up()
            await ended.wait()

    run(scene())
