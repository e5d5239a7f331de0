"""What `show` prints for what the server says."""

from __future__ import annotations

import pytest

from puna.client.fields import Json
from puna.client.replies import parse_show
from puna.term.details import describe, describe_value

BARE = (
    "  Model\n"
    "    architecture    test    \n"
    "    parameters      7B      \n"
    "    quantization    FP16    \n"
    "\n"
)

FULL = """\
  Model
    architecture        test
    parameters          7B
    context length      131072
    embedding length    11
    quantization        Q4_K_M
    requires            0.14.0

  Capabilities
    completion
    vision

  Projector
    architecture        clip
    parameters          133.70M
    embedding length    9
    dimensions          10

  Parameters
    stop           "a"    "b"
    temperature    0.7

  Metadata
    general.architecture         test
    general.parameter_count      7e+09
    test.context_length          131072
    test.embedding_length        11
    tokenizer.ggml.bos           false
    tokenizer.ggml.tokens        [a b c ...+2 more]

  Tensors
    blk.0.attn_k.weight    F32    [42 3117]

  System
    You are a pirate!
    Ahoy!

  License
    MIT License
    Copyright (c) x
    ...

"""

VALUES: dict[str, tuple[object, str]] = {
    "large": (8000000000, "8e+09"),
    "small": (0.1, "0.1"),
    "bool": (True, "true"),
    "text": ("x", "x"),
    "list that fits": ([1, 2], "[1 2]"),
    "long list": (list(range(40)), "[0 1 2 ...+37 more]"),
    "one long item": (["abcdefghijklmnop", "b"], "[abcdefghijklmnop ...+1 more]"),
    "nothing": (None, "<nil>"),
}


def normal(text: str) -> list[str]:
    """Lines with runs of blanks made one: widths are the table's own business."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_shortest_description() -> None:
    reply: Json = {
        "details": {"family": "test", "parameter_size": "7B", "quantization_level": "FP16"}
    }
    assert describe(parse_show(reply)) == BARE


def test_every_section() -> None:
    reply: Json = {
        "details": {"family": "x", "parameter_size": "7B", "quantization_level": "Q4_K_M"},
        "model_info": {
            "general.architecture": "test",
            "general.parameter_count": 7000000000,
            "test.context_length": 131072,
            "test.embedding_length": 11.0,
            "tokenizer.ggml.bos": False,
            "tokenizer.ggml.tokens": ["a", "b", "c", "d", "e"],
        },
        "projector_info": {
            "general.architecture": "clip",
            "general.parameter_count": 133700000,
            "clip.vision.embedding_length": 9,
            "clip.audio.embedding_length": 8,
            "clip.audio.projection_dim": 10,
        },
        "capabilities": ["completion", "vision"],
        "parameters": 'stop   "a" "b"\ntemperature   0.7',
        "tensors": [{"name": "blk.0.attn_k.weight", "type": "F32", "shape": [42, 3117]}],
        "system": "You are a pirate!\nAhoy!",
        "license": "MIT License\n\nCopyright (c) x\nmore",
        "requires": "0.14.0",
    }
    assert normal(describe(parse_show(reply), verbose=True)) == normal(FULL)
    assert "Metadata" not in describe(parse_show(reply))


def test_counts_stand_in_for_a_missing_size() -> None:
    info = {"general.architecture": "test", "general.parameter_count": 2850000000}
    assert "parameters      2.9B" in describe(parse_show({"model_info": info}))


def test_remote_models_say_so() -> None:
    text = describe(parse_show({"remote_host": "https://x", "remote_model": "m"}))
    assert normal(text)[1:3] == ["Remote model m", "Remote URL https://x"]


@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_values_take_little_space(value: object, text: str) -> None:
    assert describe_value(value) == text
