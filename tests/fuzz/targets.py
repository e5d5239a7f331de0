"""What reads inputs from strangers, and what must hold of whatever comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from puna.api.requests import ShowRequest
from puna.errors import (
    BadCheckpoint,
    BadManifest,
    BadModelFile,
    BadRequest,
    ConvertError,
    InvalidDigest,
    InvalidName,
    PunaError,
    QuantError,
    RegistryError,
    TemplateError,
)
from puna.gguf.describe import describe_header, show_metadata, show_tensors
from puna.gguf.merge import plan_merge
from puna.gguf.reader import read_header
from puna.gguf.split import place_of
from puna.models.create_plan import make_create_plan
from puna.models.digest import Digest
from puna.models.generated import modelfile_text
from puna.models.image_config import encode_image_config, parse_image_config
from puna.models.layers import Model, encode_messages, encode_params, parse_messages, parse_params
from puna.models.library import Library, Stored
from puna.models.manifest import Manifest, encode_manifest, parse_manifest
from puna.models.modelfile import parse_modelfile
from puna.models.name import Name, split_source
from puna.models.registry.hub_files import choose, parse_files
from puna.service.catalog import Catalog
from puna.service.show import Show
from tests.fakes.ggufs import Array, Raw, Tensor, Value, pack_gguf
from tests.fuzz.checkpoints import make_safetensors, use_safetensors
from tests.fuzz.documents import make_documents, use_documents
from tests.fuzz.matrices import make_matrix, use_matrix
from tests.fuzz.mutate import broken_bytes, broken_json, broken_text
from tests.fuzz.templates import make_template, use_template

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """`make` an input; `use` it in an empty folder, which may raise the `errors` and no other."""

    make: Callable[[Random], bytes]
    use: Callable[[bytes, Path], object]
    errors: tuple[type[Exception], ...]


# ---- GGUF headers

LLAMA: dict[str, Value] = {
    "general.architecture": "llama",
    "general.alignment": 32,
    "general.file_type": Raw(4, 15),
    "llama.block_count": 2,
    "llama.context_length": 64,
    "llama.embedding_length": Raw(10, 64),
    "llama.attention.head_count": Array(5, [4, 0]),
    "llama.rope.freq_base": 1e4,
    "split.count": Raw(2, 1),
    "tokenizer.chat_template": "{{ messages }}",
    "tokenizer.ggml.tokens": Array(8, ["<s>", "", "ü", "token"]),
    "tokenizer.ggml.scores": Array(6, [0.0, -1.5]),
}
TENSORS = [Tensor("a", (4, 2), 0, bytes(32)), Tensor("b", (256,), 12, bytes(144))]
_COUNTS = (None, 0, 1, 3, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def make_gguf(chance: Random) -> bytes:
    """A file that lies about its counts, types, shapes or offsets, or is broken anywhere."""
    metadata: list[tuple[str | bytes, Value]] = list(LLAMA.items())
    if chance.random() < 0.5:
        at = chance.randrange(len(metadata))
        metadata[at] = (metadata[at][0], _value(chance))
    if chance.random() < 0.2:
        metadata.append(chance.choice(metadata))
    tensors = [*TENSORS, _tensor(chance)] if chance.random() < 0.4 else TENSORS
    version = chance.choice((3, 3, 3, 2, 1))
    counts = [count for count in _COUNTS if version > 1 or (count or 0) < 2**32]
    raw = pack_gguf(
        metadata,
        tensors,
        version=version,
        big_endian=chance.random() < 0.1,
        n_kv=chance.choice((*[None] * 9, chance.choice(counts))),
        n_tensors=chance.choice((*[None] * 9, chance.choice(counts))),
        pad=chance.random() < 0.9,
    )
    return broken_bytes(chance, raw) if chance.random() < 0.4 else raw


def _value(chance: Random) -> Value:
    kinds = (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12)
    match chance.randrange(4):
        case 0:
            return Raw(chance.choice(kinds), 1)
        case 1:
            return Array(chance.choice(kinds), [1] * chance.choice((0, 1, 3000)))
        case 2:
            return Raw(8, bytes(chance.randrange(256) for _ in range(chance.randrange(40))))
        case _:
            return Array(8, ["x"] * chance.choice((0, 2, 3000)), chance.choice((None, 2**31)))


def _tensor(chance: Random) -> Tensor:
    sides = (0, 1, 2, 32, 256, 2**31, 2**32, 2**63, 2**64 - 1)
    return Tensor(
        chance.choice(("a", "b", "", "x" * 64, "x" * 2000, b"\xff\xfe", "a\nb")),
        [chance.choice(sides) for _ in range(chance.choice((0, 1, 2, 4, 5)))],
        chance.choice((0, 1, 8, 12, 4, 99, 2**32 - 1)),
        bytes(chance.choice((0, 16, 144))),
        chance.choice((None, None, 1, 2**63)),
    )


def use_gguf(raw: bytes, folder: Path) -> None:
    """Read and describe the file, as show and verbose show do."""
    path = folder / "model.gguf"
    path.write_bytes(raw)
    for arrays in (False, True):
        header = read_header(path, arrays=arrays)
        description = describe_header(header)
        assert description.kv_bytes_per_token() >= 0
        shown = show_metadata(header, verbose=arrays), show_tensors(header)
        assert msgspec.json.encode(shown)


def make_parts(chance: Random) -> bytes:
    """The parts of a model, one after another, each with its length before it; some are broken."""
    count = chance.choice((1, 2, 2, 3))
    out = b""
    for index in range(count):
        places: dict[str, Value] = {"split.no": Raw(2, index), "split.count": Raw(2, count)}
        if chance.random() < 0.2:
            places[chance.choice(list(places))] = _value(chance)
        if chance.random() < 0.2:
            places["split.count"] = chance.choice((2**31, Raw(10, 2**64 - 1), Raw(2, 60_000)))
        first = LLAMA if index == 0 else {}
        tensors = [Tensor(chance.choice(("a", "b", "c", "d", "e", "f")))]
        raw = pack_gguf({**first, **places}, tensors)
        raw = broken_bytes(chance, raw) if chance.random() < 0.1 else raw
        out += len(raw).to_bytes(4) + raw
    return out


def use_parts(raw: bytes, folder: Path) -> None:
    """Parts that belong together make one file, which reads and is whole."""
    paths: list[Path] = []
    while raw:
        end = 4 + int.from_bytes(raw[:4])
        paths.append(folder / f"{len(paths)}.gguf")
        paths[-1].write_bytes(raw[4:end])
        raw = raw[end:]
    path = folder / "whole.gguf"
    path.write_bytes(b"".join(plan_merge(paths).chunks()))
    assert place_of(read_header(path)) is None


# ---- lists of files

HUB_LIST: list[dict[str, Any]] = [
    {"type": "directory", "oid": "0" * 40, "size": 0, "path": "Q8_0"},
    {"type": "file", "oid": "0" * 40, "size": 7, "path": "template"},
    *(
        {
            "type": "file",
            "oid": "1" * 40,
            "size": 10**9,
            "path": path,
            "lfs": {"oid": "2" * 64, "size": 10**9, "pointerSize": 130},
        }
        for path in (
            "m-Q4_K_M.gguf",
            "mmproj-F16.gguf",
            "Q8_0/m-Q8_0-00001-of-00002.gguf",
            "Q8_0/m-Q8_0-00002-of-00002.gguf",
        )
    ),
]


def use_hub_list(raw: bytes, folder: Path) -> None:
    """Whatever is chosen of a list is on it."""
    files = parse_files(raw)
    for tag in ("latest", "Q8_0", "m-Q4_K_M.gguf"):
        choice = choose(files, tag)
        assert set(choice.weights) <= set(files)


# ---- documents of the store

_HEX = "89a2116c3a82d6a97f59f748d86ed4417214353fd178ee54df418fde32495fad"
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
    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_HEX}"]},
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


# ---- Modelfiles and names

MODELFILE = '''# a comment
FROM llama3.2:latest
ADAPTER ./lora.gguf
DRAFT draft.gguf
PARAMETER temperature 0.7
PARAMETER stop "<|end|>"
PARAMETER num_ctx 4096
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM You are kind.
MESSAGE user "hello"
MESSAGE assistant hi
LICENSE """
MIT
"""
REQUIRES 0.14.0
RENDERER r
PARSER p
'''
COMMANDS = ("FROM ", "PARAMETER ", "MESSAGE user ", 'SYSTEM """', "TEMPLATE ", "LICENSE ", "DRAFT ")


def use_modelfile(raw: bytes, folder: Path) -> None:
    """A Modelfile that reads makes a plan; the plan's texts, printed, read back."""
    for name in ("lora.gguf", "draft.gguf"):
        (folder / name).write_bytes(b"GGUF")
    plan = make_create_plan(parse_modelfile(raw), folder)
    printed = modelfile_text(
        Model(
            Stored(Name.parse("m"), Manifest(), "0" * 64, 0, folder),
            parse_image_config(b"{}"),
            params=plan.parameters,
            messages=tuple({"role": role, "content": text} for role, text in plan.messages),
        )
    )
    assert parse_modelfile(printed).commands[0].name == "from"


NAMES = (
    "llama3.2",
    "registry.ollama.ai/library/llama3.2:latest",
    "hf.co/user/Model-GGUF:Q4_K_M",
    "http://localhost:5000/me/model:7b",
    f"sha256:{_HEX}",
)


def use_name(raw: bytes, folder: Path) -> None:
    """A name's place is inside the store, and its full form is the same name."""
    text = raw.decode("utf-8", "replace")
    try:
        digest = Digest.parse(text)
    except InvalidDigest:
        pass
    else:
        assert (folder / digest.file_name).parent == folder
    name = Name.parse(split_source(text).base)
    assert Name.parse(name.full) == name
    parts = name.relative_path.parts
    assert len(parts) == 4
    assert not {"..", ".", "", "/"} & set(parts)
    assert (folder / name.relative_path).resolve().is_relative_to(folder.resolve())


TARGETS = {
    "GGUF header": Target(make_gguf, use_gguf, (BadModelFile,)),
    "GGUF parts": Target(make_parts, use_parts, (BadModelFile,)),
    "importance matrix": Target(make_matrix, use_matrix, (QuantError,)),
    "safetensors header": Target(make_safetensors, use_safetensors, (BadCheckpoint,)),
    "checkpoint's documents": Target(make_documents, use_documents, (ConvertError,)),
    "list of the Hub": Target(
        lambda c: broken_json(c, HUB_LIST), use_hub_list, (RegistryError, BadModelFile)
    ),
    "manifest": Target(lambda c: broken_json(c, MANIFEST), use_manifest, (BadManifest,)),
    "config": Target(lambda c: broken_json(c, CONFIG), use_config, (BadManifest,)),
    "params": Target(lambda c: broken_json(c, PARAMS), use_params, (BadManifest,)),
    "messages": Target(lambda c: broken_json(c, MESSAGES), use_messages, (BadManifest,)),
    "store": Target(make_store, use_store, (PunaError,)),
    "Modelfile": Target(
        lambda c: broken_text(c, MODELFILE, COMMANDS), use_modelfile, (BadRequest,)
    ),
    "template": Target(make_template, use_template, (TemplateError,)),
    "name": Target(lambda c: broken_text(c, c.choice(NAMES)), use_name, (InvalidName,)),
}
