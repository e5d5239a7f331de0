"""The official Python client of the reference, unchanged, against the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ollama
import pytest

from tests.e2e.server import Server, digest_of
from tests.fakes.docker_registry import docker_registry
from tests.fakes.ggufs import make_tiny_llama

pytestmark = pytest.mark.e2e

STORY = (
    ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw"
    " a big, red ball."
)
GREEDY = {"temperature": 0, "num_predict": 12}


@pytest.fixture
def client(server: Server) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url, trust_env=False) as started:
        yield started


def test_the_story(client: ollama.Client, stories: str) -> None:
    options = {"temperature": 0, "num_predict": 40}
    reply = client.generate(stories, "Once upon a time", options=options)
    assert reply.response == STORY
    assert (reply.done, reply.done_reason, reply.eval_count) == (True, "length", 40)
    pieces = list(client.generate(stories, "Once upon a time", options=options, stream=True))
    assert "".join(piece.response or "" for piece in pieces) == STORY
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert len(pieces) > 20


def test_a_model_of_a_file(client: ollama.Client, tiny_gguf: Path) -> None:
    digest = client.create_blob(tiny_gguf)
    assert digest == digest_of(tiny_gguf.read_bytes())
    reply = client.create(
        "made",
        files={"tiny.gguf": digest},
        system="Be brief.",
        template="{{ .Prompt }}",
        license=["One.", "Two."],
        parameters={"temperature": 0.5, "stop": ["a", "b"], "num_ctx": 256},
        messages=[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}],
    )
    assert reply.status == "success"
    shown = client.show("made")
    assert shown.license == "One.\nTwo."
    assert sorted(" ".join(line.split()) for line in (shown.parameters or "").splitlines()) == [
        "num_ctx 256",
        'stop "a"',
        'stop "b"',
        "temperature 0.5",
    ]
    assert shown.capabilities == ["completion"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["tokenizer.ggml.tokens"] is None
    modelfile = shown.modelfile or ""
    for line in ("SYSTEM Be brief.", "MESSAGE user Hi", "LICENSE Two.", "PARAMETER num_ctx 256"):
        assert f"\n{line}\n" in modelfile
    client.delete("made")


def test_the_progress_of_a_creation(client: ollama.Client, tiny_gguf: Path) -> None:
    digest = client.create_blob(tiny_gguf)
    steps = client.create("steps", files={"a.gguf": digest}, system="A new text.", stream=True)
    statuses = [step.status for step in steps]
    assert statuses[0] == "parsing GGUF"
    assert f"using existing layer {digest}" in statuses
    assert any((status or "").startswith("creating new layer") for status in statuses)
    assert statuses[-2:] == ["writing manifest", "success"]
    client.delete("steps")


def test_a_model_of_a_model(client: ollama.Client, server: Server) -> None:
    parameters = {"temperature": 0, "num_predict": 6, "stop": ["x"]}
    client.create("parent", from_="tiny", system="Old.", parameters=parameters)
    client.create("child", from_="parent", parameters={"num_predict": 3, "stop": ["y"]})
    shown = client.show("child")
    lines = sorted(" ".join(line.split()) for line in (shown.parameters or "").splitlines())
    assert lines == ["num_predict 3", 'stop "y"', "temperature 0"]
    assert "\nSYSTEM Old.\n" in (shown.modelfile or "")
    assert shown.details is not None
    assert shown.details.parent_model == "parent:latest"
    client.create("child", from_="child", system="New.")
    assert "\nSYSTEM New.\n" in (client.show("child").modelfile or "")
    assert client.generate("child", "the dog").eval_count == 3
    client.delete("child")
    client.delete("parent")


def test_a_push_and_a_pull(client: ollama.Client, tmp_path: Path) -> None:
    with docker_registry(tmp_path) as registry:
        name = f"{registry.address}/me/tiny"
        client.copy("tiny", name)
        digest = {model.model: model.digest for model in client.list().models}[f"{name}:latest"]
        steps = list(client.push(name, insecure=True, stream=True))
        assert [step.status for step in steps if not step.digest] == [
            "retrieving manifest",
            "pushing manifest",
            "success",
        ]
        last = {step.digest: step for step in steps if step.digest and step.total}
        assert all(step.completed == step.total for step in last.values())
        client.delete(name)
        assert client.pull(name, insecure=True).status == "success"
        assert client.push(name, insecure=True).status == "success"
        assert digest in [model.digest for model in client.list().models if model.model != "tiny"]
        client.delete(name)
    with pytest.raises(ollama.ResponseError, match="model 'nothing:latest' not found"):
        client.push("nothing")


def test_list_copy_and_delete(client: ollama.Client, tiny_gguf: Path) -> None:
    assert client.copy("tiny", "me/twin:v1").status == "success"
    installed = {model.model: model for model in client.list().models}
    twin, tiny = installed["me/twin:v1"], installed["tiny:latest"]
    assert twin.digest == tiny.digest
    assert twin.size is not None
    assert int(twin.size) > tiny_gguf.stat().st_size
    assert twin.details is not None
    assert (twin.details.format, twin.details.family) == ("gguf", "llama")
    assert twin.modified_at is not None
    assert twin.modified_at.tzinfo is not None
    assert client.delete("me/twin:v1").status == "success"
    assert "me/twin:v1" not in [model.model for model in client.list().models]
    with pytest.raises(ollama.ResponseError) as caught:
        client.delete("me/twin:v1")
    assert (caught.value.status_code, caught.value.error) == (404, "model 'me/twin:v1' not found")
    assert client.generate("tiny", "the dog", options=GREEDY).eval_count == 12


def test_generate_alone_and_streamed(client: ollama.Client) -> None:
    whole = client.generate("tiny", "the dog", options=GREEDY)
    assert (whole.model, whole.done_reason, whole.eval_count) == ("tiny", "length", 12)
    for duration in (whole.total_duration, whole.load_duration, whole.eval_duration):
        assert duration
        assert duration > 0
    assert whole.context
    pieces = list(client.generate("tiny", "the dog", options=GREEDY, stream=True))
    assert "".join(piece.response or "" for piece in pieces) == whole.response
    assert pieces[-1].context == whole.context


def test_chat_alone_and_streamed(client: ollama.Client, chatty: str) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Tell me of the moon."},
    ]
    whole = client.chat(chatty, messages, options=GREEDY)
    assert (whole.message.role, whole.done_reason, whole.eval_count) == ("assistant", "length", 12)
    assert whole.message.content
    pieces = list(client.chat(chatty, messages, options=GREEDY, stream=True))
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert {piece.message.role for piece in pieces} == {"assistant"}
    other = client.chat(chatty, messages[-1:], options=GREEDY)
    assert other.message.content != whole.message.content, "earlier messages count"


def test_what_is_loaded(server: Server, client: ollama.Client, tmp_path: Path) -> None:
    """Weights of its own: a runner goes by the name that loaded it, and others share `tiny`'s."""
    path = make_tiny_llama(tmp_path / "own.gguf", seed=77)
    server.create("own", path)
    client.generate("own", "the dog", options=GREEDY, keep_alive="10m")
    [row] = [model for model in client.ps().models if model.model == "own:latest"]
    assert row.expires_at is not None
    rest = row.expires_at - datetime.now(UTC)
    assert timedelta(minutes=9) < rest <= timedelta(minutes=10)
    assert row.context_length == 512
    assert row.size is not None
    assert int(row.size) > path.stat().st_size / 2
    assert row.size_vram is not None
    client.generate("own", keep_alive=0)


def test_errors_have_their_status(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        client.generate("nope", "hi")
    assert (caught.value.status_code, caught.value.error) == (404, "model 'nope' not found")
    with pytest.raises(ollama.ResponseError) as caught:
        list(client.chat("nope", [{"role": "user", "content": "hi"}], stream=True))
    assert (caught.value.status_code, caught.value.error) == (404, "model 'nope' not found")
    with pytest.raises(ollama.ResponseError) as caught:
        client.show("nope")
    assert (caught.value.status_code, caught.value.error) == (404, "model 'nope:latest' not found")


def test_the_asynchronous_client(server: Server) -> None:
    async def ask(client: ollama.AsyncClient, prompt: str) -> str:
        parts = await client.generate("tiny", prompt, options=GREEDY, stream=True)
        return "".join([part.response or "" async for part in parts])

    async def use() -> list[str]:
        async with ollama.AsyncClient(host=server.url, trust_env=False) as client:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ask(client, prompt)) for prompt in ("the dog", "a cat")]
            return [task.result() for task in tasks]

    assert all(asyncio.run(use()))
