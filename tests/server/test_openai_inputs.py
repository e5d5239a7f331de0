"""Inputs of /v1/embeddings as native ones. Check names are the compatibility spec's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from puna.api.decode import decode
from puna.api.openai import EmbeddingRequest
from puna.api.requests import (
    Tokens,
)
from puna.errors import BadRequest
from puna.server.openai.orders import embed_order


@pytest.mark.parametrize(
    ("value", "inputs"),
    [
        pytest.param("", [""], id="EM-1"),
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [(1, 2)]),
        ([[1], [2]], [(1,), (2,)]),
    ],
)
def test_inputs(value: object, inputs: list[object]) -> None:
    body = json.dumps({"input": value, "encoding_format": "BASE64"}).encode()
    order = embed_order(decode(EmbeddingRequest, body))
    assert order.input == inputs
    assert all(isinstance(each, str | Tokens) for each in order.input)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            {"encoding_format": "hex"},
            "Invalid value for 'encoding_format' = hex. Supported values: ['float', 'base64'].",
            id="EM-4",
        ),
        ({}, "invalid input"),
        ({"input": None}, "invalid input"),
        ({"input": []}, "invalid input"),
        ({"input": 5}, "invalid input type"),
        ({"input": ["a", {}]}, "invalid input type"),
    ],
)
def test_refused_inputs(body: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        embed_order(decode(EmbeddingRequest, json.dumps(body).encode()))
    assert str(caught.value) == message
