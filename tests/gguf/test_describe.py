"""What a model file says about itself, in brief."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.gguf.describe import Kind, describe, show_metadata, show_tensors
from puna.gguf.reader import read_header
from tests.fakes.fixtures import stories_gguf
from tests.fakes.ggufs import Array, Raw, Tensor, Value, make_tiny_llama, write_gguf

LLAMA: dict[str, Value] = {
    "general.architecture": "llama",
    "general.name": "Little",
    "general.file_type": 15,
    "llama.context_length": 8192,
    "llama.embedding_length": 4096,
    "llama.block_count": 32,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.chat_template": "{{ messages }}",
    "tokenizer.ggml.tokens": Array(8, ["a", "b"]),
    "tokenizer.ggml.merges": Array(8, []),
    "tokenizer.ggml.token_type": Array(5, [1, 1]),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_a_llama(path: Path) -> None:
    tensors = [Tensor("t", (256, 3), 12, bytes(432)), Tensor("norm", (4,))]
    found = describe(write_gguf(path, LLAMA, tensors))
    assert (found.architecture, found.kind, found.parameter_count) == ("llama", "model", 772)
    assert (found.file_type, found.quantization) == ("Q4_K_M", "Q4_K_M")
    assert (found.context_length, found.embedding_length, found.block_count) == (8192, 4096, 32)
    assert found.chat_template == "{{ messages }}"
    assert found.capabilities == ("completion",)
    assert found.kv_bytes_per_token() == 32 * 8 * (128 + 128) * 2
    assert found.kv_bytes_per_token(0.5) == 32 * 8 * 128


def test_a_file_that_says_nothing(path: Path) -> None:
    found = describe(write_gguf(path, {}))
    assert (found.architecture, found.kind, found.parameter_count) == ("unknown", "model", 0)
    assert (found.file_type, found.quantization) == ("unknown", "unknown")
    assert (found.context_length, found.embedding_length, found.block_count) == (0, 0, 0)
    assert (found.chat_template, found.split_count, found.split_no) == (None, 0, None)
    assert found.kv_bytes_per_token() == 0


FILE_TYPES: dict[str, tuple[dict[str, Value], str, str]] = {
    "known": ({"general.file_type": 7}, "Q8_0", "Q8_0"),
    "absent": ({}, "unknown", "Q4_0"),
    "zero": ({"general.file_type": 0}, "unknown", "Q4_0"),
    "not in use": ({"general.file_type": 5}, "unknown", "Q4_0"),
    "not a number": ({"general.file_type": "Q8_0"}, "unknown", "Q4_0"),
    "another width": ({"general.file_type": Raw(10, 7)}, "Q8_0", "Q8_0"),
}


@pytest.mark.parametrize(("pairs", "name", "better"), FILE_TYPES.values(), ids=FILE_TYPES)
def test_file_types(path: Path, pairs: dict[str, Value], name: str, better: str) -> None:
    """The type with most elements stands in, however many small tensors have another."""
    tensors = [Tensor("n1"), Tensor("n2"), Tensor("q", (32,), 2, bytes(18))]
    found = describe(write_gguf(path, pairs, tensors))
    assert (found.file_type, found.quantization) == (name, better)


def architecture(name: str, **pairs: Value) -> dict[str, Value]:
    found: dict[str, Value] = {"general.architecture": name}
    return found | {f"{name}.{key.replace('__', '.')}": value for key, value in pairs.items()}


KINDS: dict[str, tuple[dict[str, Value], Kind, tuple[str, ...]]] = {
    "nothing": ({}, "model", ("completion",)),
    "embedding": (architecture("bert", pooling_type=1), "model", ("embedding",)),
    "vision inside": (
        architecture("gemma3", block_count=2, vision__block_count=3),
        "model",
        ("completion", "vision"),
    ),
    "audio inside": (
        architecture("gemma3n", block_count=2, audio__block_count=3),
        "model",
        ("completion", "audio"),
    ),
    "adapter": ({"general.type": "adapter"}, "adapter", ("completion",)),
    "projector": ({"general.type": "projector"}, "projector", ("vision",)),
    "mmproj": ({"general.type": "mmproj"}, "projector", ("vision",)),
    "only vision blocks": (architecture("x", vision__block_count=3), "projector", ("vision",)),
    "no vision blocks": (
        architecture("x", vision__block_count=0),
        "model",
        ("completion", "vision"),
    ),
    "clip": (architecture("clip", has_vision_encoder=True), "projector", ("vision",)),
    "clip that hears": (
        architecture("clip", has_audio_encoder=True),
        "projector",
        ("vision", "audio"),
    ),
    "clip that hears not": (
        architecture(
            "clip",
            has_audio_encoder=True,
            vision__projector_type="gemma3nv",
        ),
        "projector",
        ("vision",),
    ),
    "clip without encoder": (architecture("clip"), "model", ("completion",)),
    "clip with blocks": (
        architecture("clip", has_vision_encoder=True, block_count=4),
        "model",
        ("completion",),
    ),
}


@pytest.mark.parametrize(("pairs", "kind", "words"), KINDS.values(), ids=KINDS)
def test_kinds_and_capabilities(
    path: Path, pairs: dict[str, Value], kind: Kind, words: tuple[str, ...]
) -> None:
    found = describe(write_gguf(path, pairs))
    assert (found.kind, found.capabilities) == (kind, words)


CACHES: dict[str, tuple[dict[str, Value], int]] = {
    "heads for each layer": (
        {
            "attention__head_count": Array(5, [4, 0, 4]),
            "attention__head_count_kv": Array(5, [2, 0, 1]),
        },
        3 * (16 + 16) * 2,
    ),
    "no separate kv heads": ({"attention__head_count": 4}, 3 * 4 * (16 + 16) * 2),
    "sizes given": (
        {
            "attention__head_count": 4,
            "attention__head_count_kv": 1,
            "attention__key_length": 192,
            "attention__value_length": 128,
        },
        3 * (192 + 128) * 2,
    ),
    "no heads": ({}, 0),
    "negative heads": ({"attention__head_count": Raw(5, -4)}, 0),
}


@pytest.mark.parametrize(("pairs", "n_bytes"), CACHES.values(), ids=CACHES)
def test_cache_bytes(path: Path, pairs: dict[str, Value], n_bytes: int) -> None:
    whole = architecture("m", block_count=3, embedding_length=64, **pairs)
    assert describe(write_gguf(path, whole)).kv_bytes_per_token() == n_bytes


SPLITS: dict[str, dict[str, Value]] = {
    "plain": {"split.count": Raw(2, 3), "split.no": Raw(2, 1)},
    "under the architecture": architecture("a", split__count=3, split__no=1),
}


@pytest.mark.parametrize("pairs", SPLITS.values(), ids=SPLITS)
def test_splits(path: Path, pairs: dict[str, Value]) -> None:
    found = describe(write_gguf(path, pairs))
    assert (found.split_count, found.split_no) == (3, 1)


def test_metadata_as_shown(path: Path) -> None:
    write_gguf(path, {**LLAMA, "llama.odd": float("nan")}, [Tensor("t")])
    shown = show_metadata(read_header(path))
    assert list(shown) == sorted(shown)
    assert shown["general.parameter_count"] == 4
    assert shown["llama.attention.layer_norm_rms_epsilon"] == 1e-5
    assert shown["llama.odd"] is None
    assert shown["tokenizer.ggml.tokens"] is None
    assert shown["tokenizer.ggml.token_type"] is None
    assert shown["tokenizer.ggml.merges"] == []
    assert not {"general.name", "tokenizer.chat_template"} & shown.keys()


def test_metadata_in_full(path: Path) -> None:
    header = read_header(write_gguf(path, LLAMA), arrays=True)
    shown = show_metadata(header, verbose=True, hidden=frozenset())
    assert shown["tokenizer.ggml.tokens"] == ["a", "b"]
    assert shown["tokenizer.ggml.token_type"] == [1, 1]
    assert shown["general.name"] == "Little"


def test_tensors_as_shown(path: Path) -> None:
    header = read_header(write_gguf(path, LLAMA, [Tensor("t", (2, 2))]))
    assert show_tensors(header) == [{"name": "t", "type": "F32", "shape": [2, 2]}]


def test_the_trained_model() -> None:
    found = describe(stories_gguf())
    assert (found.parameter_count, found.file_type, found.quantization) == (
        260032,
        "unknown",
        "F32",
    )
    assert (found.context_length, found.kv_bytes_per_token()) == (512, 5 * 4 * 16 * 2)


def test_the_tiny_model(path: Path) -> None:
    found = describe(make_tiny_llama(path, chat_template="{{ x }}"))
    assert (found.architecture, found.context_length, found.chat_template) == (
        "llama",
        512,
        "{{ x }}",
    )
