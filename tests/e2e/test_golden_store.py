"""A store that no code of ours has written, byte by byte what the reference writes: it is listed,
shown and run. Facts: models spec, sections 2.1 and 3.5.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.server import Server
from tests.models.golden import CONFIG_DIGEST, GGUF, GGUF_DIGEST, MANIFEST_DIGEST

pytestmark = pytest.mark.e2e

CONFIG = (
    b'{"model_format":"gguf","model_family":"test","model_families":["test"],"model_type":"0",'
    b'"file_type":"unknown","architecture":"amd64","os":"linux"}\n'
)
MANIFEST = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
    b'"config":{"mediaType":"application/vnd.docker.container.image.v1+json",'
    b'"digest":"sha256:99759ad5b91e723db0393d698ffbb448b1b7df5ff6377a108c49254583b1bc8c",'
    b'"size":147},"layers":[{"mediaType":"application/vnd.ollama.image.model",'
    b'"digest":"sha256:89a2116c3a82d6a97f59f748d86ed4417214353fd178ee54df418fde32495fad",'
    b'"size":68}]}\n'
)
SMALL = {
    "params": (
        b'{"num_ctx":64,"num_predict":4,"stop":["USER:","ASSISTANT:"],"temperature":0}\n',
        "",
    ),
    "system": (b"Say hi!", "f29e82a8284dbdf5910b1555580ff60b04238b8da9d5e51159ada67a4d0d5851"),
    "license": (b"MIT", ""),
    "messages": (
        b'[{"role":"assistant","content":"What is my purpose?"},'
        b'{"role":"user","content":"You run tests."},'
        b'{"role":"assistant","content":"Oh, my god."}]\n',
        "298baeaf6928a60cf666d88d64a1ba606feb43a2865687c39e40652e407bffc4",
    ),
}


def put(store: Path, raw: bytes) -> str:
    """Lay a blob down; returns its digest's digits."""
    digits = hashlib.sha256(raw).hexdigest()
    (store / "blobs" / f"sha256-{digits}").write_bytes(raw)
    return digits


def put_manifest(store: Path, name: str, raw: bytes) -> None:
    path = store / "manifests/registry.ollama.ai/library" / name / "latest"
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)


@pytest.fixture
def server(tmp_path: Path, tiny_gguf: Path, start: Start) -> Server:
    store = tmp_path / "models"
    (store / "blobs").mkdir(parents=True)
    assert (put(store, CONFIG), put(store, GGUF)) == (CONFIG_DIGEST.hex, GGUF_DIGEST.hex)
    assert hashlib.sha256(MANIFEST).hexdigest() == MANIFEST_DIGEST.hex
    put_manifest(store, "test", MANIFEST)
    layers = [("model", tiny_gguf.read_bytes(), ""), *((k, *v) for k, v in SMALL.items())]
    manifest = json.loads(MANIFEST)
    manifest["layers"] = []
    for kind, raw, golden in layers:
        digits = put(store, raw)
        assert golden in {"", digits}
        media_type = f"application/vnd.ollama.image.{kind}"
        layer = {"mediaType": media_type, "digest": f"sha256:{digits}", "size": len(raw)}
        manifest["layers"].append(layer)
    put_manifest(store, "talks", json.dumps(manifest, indent=2).encode())
    return start(OLLAMA_MODELS=str(store), OLLAMA_NOPRUNE="1")


def test_a_store_written_by_hand_is_listed_shown_and_run(server: Server, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "models").rglob("*/sha256-*")}
    listed = {model["name"]: model for model in server.get("/api/tags").json["models"]}
    assert listed.keys() == {"test:latest", "talks:latest"}
    assert listed["test:latest"]["digest"] == MANIFEST_DIGEST.hex
    assert listed["test:latest"]["size"] == len(CONFIG) + len(GGUF)
    assert listed["test:latest"]["details"]["family"] == "test"
    shown = server.post("/api/show", model="talks").json
    assert shown["system"] == "Say hi!"
    assert shown["license"] == "MIT"
    assert [message["content"] for message in shown["messages"]][1:] == [
        "You run tests.",
        "Oh, my god.",
    ]
    assert shown["model_info"]["llama.block_count"] == 2
    rows = [line.split()[:2] for line in puna("list", env=server.env).stdout.splitlines()[1:]]
    assert ["test:latest", MANIFEST_DIGEST.hex[:12]] in rows
    answer = server.post("/api/generate", model="talks", prompt="the dog", stream=False).json
    assert answer["done"]
    assert answer["eval_count"] == 4, "the stored option counts"
    assert before == {path: path.read_bytes() for path in (tmp_path / "models").rglob("*/sha256-*")}
