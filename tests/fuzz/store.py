"""The documents of a model in the store, and a store with one that is damaged."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from puna.api.requests import ShowRequest
from puna.models.digest import Digest
from puna.models.image_config import encode_image_config, parse_image_config
from puna.models.layers import encode_messages, encode_params, parse_messages, parse_params
from puna.models.library import Library
from puna.models.manifest import encode_manifest, parse_manifest
from puna.service.catalog import Catalog
from puna.service.show import Show
from tests.fakes.ggufs import pack_gguf
from tests.fuzz.headers import LLAMA, TENSORS, make_gguf
from tests.fuzz.mutate import broken_json, broken_text

HEX = "89a2116c3a82d6a97f59f748d86ed4417214353fd178ee54df418fde32495fad"
_TYPE = "application/vnd.ollama.image"


def manifest_of(blobs: dict[str, bytes]) -> dict[str, Any]:
    """A manifest of layers by the last word of their types; `config` is the config."""
    layers = [
        {
            "mediaType": f"{_TYPE}.{kind}",
            "digest": str(Digest.of(raw)),
            "size": len(raw),
        }
        for kind, raw in blobs.items()
    ]
    config = layers[list(blobs).index("config")]
    config["mediaType"] = "application/vnd.docker.container.image.v1+json"
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": config,
        "layers": [layer for layer in layers if layer is not config],
    }


CONFIG = {
    "model_format": "gguf",
    "model_family": "llama",
    "model_families": ["llama"],
    "model_type": "8B",
    "file_type": "Q4_K_M",
    "capabilities": ["completion"],
    "context_length": 64,
    "draft": {"model_format": "gguf", "architecture": "llama"},
    "architecture": "amd64",
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{HEX}"]},
}
PARAMS = {"temperature": 0.7, "stop": ["a", "b"], "num_ctx": 2048, "use_mmap": True}
MESSAGES = [
    {"role": "user", "content": "hi", "images": ["AAAA"]},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, {"b": None}]}}}],
    },
]
BLOBS = {
    "config": json.dumps(CONFIG).encode(),
    "model": pack_gguf(LLAMA, TENSORS),
    "template": b"{{ .System }}{{ .Prompt }}",
    "system": b"Be kind.",
    "params": json.dumps(PARAMS).encode(),
    "messages": json.dumps(MESSAGES).encode(),
    "license": b"MIT",
}
MANIFEST = manifest_of(BLOBS)


def use_manifest(raw: bytes, folder: Path) -> None:
    """Whatever can be read is written so that it reads as the same."""
    manifest = parse_manifest(raw)
    assert parse_manifest(encode_manifest(manifest)) == manifest


def use_config(raw: bytes, folder: Path) -> None:
    config = parse_image_config(raw)
    assert parse_image_config(encode_image_config(config)) == config


def use_params(raw: bytes, folder: Path) -> None:
    params = parse_params(raw)
    assert parse_params(encode_params(params)).keys() == params.keys()


def use_messages(raw: bytes, folder: Path) -> None:
    messages = parse_messages(raw)
    assert len(parse_messages(encode_messages(messages))) == len(messages)


def make_store(chance: Random) -> bytes:
    """A model with one damaged part: the part's name, a line end, and its bytes."""
    kind = chance.choice(["manifest", *BLOBS])
    samples: dict[str, Any] = {
        "manifest": MANIFEST,
        "config": CONFIG,
        "params": PARAMS,
        "messages": MESSAGES,
    }
    if kind in samples:
        raw = broken_json(chance, samples[kind])
    elif kind == "model":
        raw = make_gguf(chance)
    else:
        raw = broken_text(chance, BLOBS[kind].decode())
    return kind.encode() + b"\n" + raw


_LOOP = asyncio.new_event_loop()
_LOOP.set_default_executor(ThreadPoolExecutor(1))  # more stacks would look like more memory


def use_store(raw: bytes, folder: Path) -> None:
    """Listing never fails, and showing gives an answer or says what is wrong."""
    name, _, part = raw.partition(b"\n")
    kind = name.decode()
    blobs = {**BLOBS, **({kind: part} if kind in BLOBS else {})}
    library = Library(folder)
    library.blobs.folder.mkdir(exist_ok=True)
    for blob in blobs.values():
        (library.blobs.folder / Digest.of(blob).file_name).write_bytes(blob)
    path = folder / "manifests/registry.ollama.ai/library/m/latest"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(part if kind == "manifest" else json.dumps(manifest_of(blobs)).encode())
    catalog = Catalog(library)
    _LOOP.run_until_complete(catalog.every())
    shown = _LOOP.run_until_complete(Show(catalog).show(ShowRequest(model="m", verbose=True)))
    assert msgspec.json.encode(shown)
