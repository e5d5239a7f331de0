"""The store over HTTP: list, show, copy, delete, create, and what is on the disk afterwards.

The numbers are those of the API spec's checklist, section 23.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.server import Server, digest_of
from tests.fakes.ggufs import make_tiny_llama

pytestmark = pytest.mark.e2e


def installed(server: Server) -> list[str]:
    return [model["name"] for model in server.get("/api/tags").json["models"]]


def delete(server: Server, name: str) -> int:
    return server.request("DELETE", "/api/delete", {"model": name}).status


def blobs(server: Server) -> set[str]:
    return {name for name in server.files() if name.startswith("blobs/")}


def test_an_empty_store(start: Start) -> None:
    """76, 78"""
    server = start()
    assert server.get("/api/tags").json == {"models": []}
    assert server.get("/api/ps").json == {"models": []}


def test_the_list(start: Start, tiny_gguf: Path, other_gguf: Path) -> None:
    """76"""
    server = start()
    server.create("first", tiny_gguf)
    server.create("second", other_gguf, system="A system prompt.")
    [second, first] = server.get("/api/tags").json["models"]
    assert (second["name"], first["name"]) == ("second:latest", "first:latest")
    assert second["model"] == "second:latest"
    manifest = server.store / "manifests/registry.ollama.ai/library/second/latest"
    raw = manifest.read_bytes()
    assert f"sha256:{second['digest']}" == digest_of(raw)
    value = json.loads(raw)
    layers = [value["config"], *value["layers"]]
    assert second["size"] == sum(layer["size"] for layer in layers)
    named = {f"blobs/{layer['digest'].replace(':', '-')}" for layer in layers}
    assert named <= server.files()
    for blob in blobs(server):
        data = (server.store / blob).read_bytes()
        assert digest_of(data).replace(":", "-") == Path(blob).name
    details = second["details"]
    assert (details["format"], details["family"], details["families"]) == (
        "gguf",
        "llama",
        ["llama"],
    )
    assert (details["context_length"], details["embedding_length"]) == (512, 64)
    assert details["parent_model"] == "other.gguf"
    assert second["capabilities"] == ["completion"]


def test_show(server: Server) -> None:
    """81, 82, 83"""
    plain = server.post("/api/show", name="tiny").json
    info = plain["model_info"]
    assert info["tokenizer.ggml.tokens"] is None
    assert info["general.parameter_count"] > 100_000
    assert not {"general.name", "tokenizer.chat_template"} & set(info)
    assert {"name", "type", "shape"} == set(plain["tensors"][0])
    assert "parameters" not in plain
    verbose = server.post("/api/show", model="tiny", verbose=True).json
    assert "<s>" in verbose["model_info"]["tokenizer.ggml.tokens"]
    assert {key for key, value in verbose["model_info"].items() if value is None} == set()


def test_show_lays_the_request_over_the_model(server: Server, chatty: str) -> None:
    """84"""
    shown = server.post("/api/show", model=chatty).json
    assert shown["system"] == "Be kind."
    assert shown["template"].startswith("{% for m in messages %}")
    assert shown["parameters"].split() == ["num_predict", "5"]
    options = {"stop": ["a b"]}
    shown = server.post("/api/show", model=chatty, system="Be new.", options=options).json
    assert shown["system"] == "Be new."
    assert "\nSYSTEM Be new.\n" in shown["modelfile"]
    assert "\nPARAMETER stop a b\n" in shown["modelfile"]
    assert "stop" not in shown["parameters"]


def test_stop_parameters_are_quoted(server: Server) -> None:
    """84"""
    fields: dict[str, Any] = {"from": "tiny", "parameters": {"stop": ["<|a|>", 'say "b"']}}
    assert server.request("POST", "/api/create", {"model": "stops", **fields}).status == 200
    lines = server.post("/api/show", model="stops").json["parameters"].splitlines()
    assert [line.split(None, 1) for line in lines] == [
        ["stop", '"<|a|>"'],
        ["stop", r'"say \"b\""'],
    ]
    assert delete(server, "stops") == 200


def test_uploads(server: Server) -> None:
    """89, 90"""
    data = b"a blob of the test of uploads"
    digest = digest_of(data)
    assert server.request("HEAD", f"/api/blobs/{digest}").status == 404
    first = server.request("POST", f"/api/blobs/{digest}", data)
    assert (first.status, first.body) == (201, b"")
    again = server.request("POST", f"/api/blobs/{digest}", b"ignored")
    assert (again.status, again.body) == (200, b"")
    for spelling in (digest, digest.replace(":", "-")):
        head = server.request("HEAD", f"/api/blobs/{spelling}")
        assert (head.status, head.body) == (200, b"")
    assert server.request("HEAD", "/api/blobs/abc").status == 400


def test_copy(server: Server) -> None:
    """85"""
    before = blobs(server)
    answer = server.post("/api/copy", source="tiny", destination="me/copied:v2")
    assert (answer.status, answer.body) == (200, b"")
    assert "me/copied:v2" in installed(server)
    assert blobs(server) == before, "only the manifest is copied"
    for name in ("tiny", "nowhere"):
        assert server.post("/api/copy", source=name, destination=name).status == 200
    assert delete(server, "me/copied:v2") == 200


def test_delete(server: Server) -> None:
    """86, 88"""
    before = server.files()
    text = "A system prompt that no other model has."
    body = {"model": "gone", "from": "tiny", "system": text}
    assert server.request("POST", "/api/create", body).status == 200
    assert f"blobs/{digest_of(text.encode()).replace(':', '-')}" in server.files()
    answer = server.request("DELETE", "/api/delete", {"name": "gone"})
    assert (answer.status, answer.body) == (200, b"")
    assert server.files() == before, "the blobs shared with tiny stay, its own go"
    assert delete(server, "gone") == 404
    assert server.generate("tiny", "the dog", options={"num_predict": 3})


def test_one_spelling_for_each_model(server: Server) -> None:
    """96"""
    assert server.post("/api/copy", source="TINY", destination="Cased:V1").status == 200
    assert server.post("/api/copy", source="tiny", destination="cased:v1").status == 200
    body = {"model": "CASED:v1", "from": "tiny", "system": "x"}
    assert server.request("POST", "/api/create", body).status == 200
    assert [name for name in installed(server) if name.lower() == "cased:v1"] == ["Cased:V1"]
    assert delete(server, "caSed:v1") == 200


def test_the_progress_of_a_creation(server: Server) -> None:
    """95"""
    body = {"model": "steps", "from": "tiny", "system": "Step by step."}
    answer = server.request("POST", "/api/create", body)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    statuses = [line["status"] for line in answer.lines]
    assert statuses[-2:] == ["writing manifest", "success"]
    assert any(status.startswith("using existing layer sha256:") for status in statuses)
    digest = digest_of(b"Step by step.")
    assert f"creating new layer {digest}" in statuses
    whole = server.request("POST", "/api/create", {**body, "stream": False})
    assert (whole.json, whole.headers["Content-Type"]) == (
        {"status": "success"},
        "application/json",
    )
    assert delete(server, "steps") == 200


def test_making_a_model_anew_drops_what_only_the_old_one_used(server: Server) -> None:
    for text in ("The old text.", "The new text."):
        body = {"model": "anew", "from": "tiny", "system": text}
        assert server.request("POST", "/api/create", body).status == 200
    names = {text: digest_of(text.encode()) for text in ("The old text.", "The new text.")}
    assert server.request("HEAD", f"/api/blobs/{names['The old text.']}").status == 404
    assert server.request("HEAD", f"/api/blobs/{names['The new text.']}").status == 200
    assert delete(server, "anew") == 200


def test_what_is_stored_survives_the_server(start: Start, tmp_path: Path) -> None:
    first = start()
    name = first.create("kept", make_tiny_llama(tmp_path / "kept.gguf"), system="Stay.")
    text = first.generate(name, "the dog", options={"num_predict": 8})
    files = first.files()
    assert first.end() == 0
    second = start(OLLAMA_MODELS=str(first.store))
    assert second.generate(name, "the dog", options={"num_predict": 8}) == text
    assert second.post("/api/show", model=name).json["system"] == "Stay."
    assert second.files() == files


def test_messages_and_parameters_of_a_model_are_used(server: Server, chatty: str) -> None:
    """93"""
    body = {
        "model": "remembers",
        "from": chatty,
        "messages": [{"role": "user", "content": "Old?"}, {"role": "assistant", "content": "Old!"}],
        "parameters": {"num_predict": 4},
    }
    assert server.request("POST", "/api/create", body).status == 200
    question = [{"role": "user", "content": "New?"}]
    order = {"model": "remembers", "messages": question, "stream": False}
    answer = server.request("POST", "/api/chat", {**order, "_debug_render_only": True}).json
    assert answer["_debug_info"]["rendered_template"] == (
        "<system>Be kind.\n<user>Old?\n<assistant>Old!\n<user>New?\n<assistant>"
    )
    assert server.request("POST", "/api/chat", order).json["eval_count"] == 4
    shown = server.post("/api/show", model="remembers").json
    assert shown["messages"] == body["messages"]
    assert delete(server, "remembers") == 200
