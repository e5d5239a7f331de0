"""Pulls from a stand-in for the Hugging Face Hub into a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.ggufs import pack_gguf
from tests.fakes.http_server import Reply, ScriptedServer
from tests.fakes.hub import FakeHub
from tests.fakes.registry_client import pack_model
from tests.fakes.splits import make_split_llama
from tests.service.hub import NAME, model, play, pull
from tests.service.pulling import Puller
from tests.service.pulling import play as play_there
from tests.service.world import complaint, sha

PROJECTOR = pack_gguf(
    {"general.architecture": "clip", "clip.has_vision_encoder": True, "pad": "x" * 2000}
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("parts")
    paths = make_split_llama(folder, "Tiny-F32")
    return {f"F32/{path.name}": path.read_bytes() for path in paths}


def test_a_model_and_all_that_belongs_to_it(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    params = {"temperature": 0.5, "stop": ["<end>"]}
    hub.add(
        "org/Tiny-GGUF",
        {
            "README.md": b"# Tiny",
            "Tiny-Q4_K_M.gguf": weights,
            "Tiny-Q8_0.gguf": weights + b"\0" * 32,
            "mmproj-F16.gguf": PROJECTOR,
            "template": b"{{ .Prompt }}",
            "system": "Sei höflich.".encode(),
            "params": json.dumps(params).encode(),
        },
    )

    async def scene(place: Puller) -> None:
        steps = await pull(place)
        assert steps == [
            "pulling manifest",
            f"pulling {sha(weights)[:12]}",
            f"pulling {sha(PROJECTOR)[:12]}",
            "verifying sha256 digest",
            "writing manifest",
            "success",
        ]
        assert [name.short for name in place.library.names()] == [f"{NAME}:latest"]
        found = model(place)
        assert found.weights is not None
        assert found.weights.digest.hex == sha(weights)
        assert [each.digest.hex for each in found.projectors] == [sha(PROJECTOR)]
        assert (found.template, found.system) == ("{{ .Prompt }}", "Sei höflich.")
        assert found.params == params
        config = found.config
        assert (config.model_format, config.model_family) == ("gguf", "llama")
        assert config.model_families == ("llama",)
        before = found.stored.digest
        assert (await pull(place))[-1] == "success"
        assert model(place).stored.digest == before, "the same manifest, byte for byte"

    play(hub, tmp_path, scene)


@pytest.mark.parametrize("host", ["hf.co", "huggingface.co", "HF.co"])
@pytest.mark.parametrize("tag", ["q8_0", "Q8_0", "Tiny-Q8_0.gguf"])
def test_names(hub: FakeHub, tmp_path: Path, weights: bytes, host: str, tag: str) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-Q4_K_M.gguf": b"", "Tiny-Q8_0.gguf": weights})

    async def scene(place: Puller) -> None:
        await pull(place, f"{host}/org/Tiny-GGUF:{tag}")
        assert [name.short for name in place.library.names()] == [f"{host}/org/Tiny-GGUF:{tag}"]

    play(hub, tmp_path, scene)


def test_a_name_in_another_case_is_the_same_repository(
    hub: FakeHub, tmp_path: Path, weights: bytes
) -> None:
    hub.add("Org/Tiny-GGUF", {"Tiny-F32.gguf": weights}, access="private")

    async def scene(place: Puller) -> None:
        await pull(place, "hf.co/org/tiny-gguf")
        assert model(place, "hf.co/org/tiny-gguf").weights

    play(hub, tmp_path, scene, hf_token="hf_good")


def test_parts_are_layers_in_order(
    hub: FakeHub, tmp_path: Path, weights: bytes, parts: dict[str, bytes]
) -> None:
    hub.add("org/Tiny-GGUF", dict(reversed(list(parts.items()))))

    async def scene(place: Puller) -> None:
        await pull(place, f"{NAME}:F32")
        found = model(place, f"{NAME}:F32")
        assert found.weights is not None
        assert [path.read_bytes() for path in found.weights.paths] == list(parts.values())
        assert found.config.model_type == "147K"
        assert hub.sent.keys() == parts.keys()

    play(hub, tmp_path, scene)


def test_a_long_list_is_read_page_by_page(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    files = {f"note-{number}.md": b"x" for number in range(25)}
    hub.add("org/Tiny-GGUF", {**files, "Tiny-F32.gguf": weights})
    hub.page = 10

    async def scene(place: Puller) -> None:
        await pull(place)
        assert len(hub.requests("hub", "/tree/")) == 3
        hub.next_page = f"{hub.cdn}/list"
        status, text = await complaint(pull(place))
        assert (status, hub.requests("cdn", "/list")) == (500, [])
        assert text.startswith("pull model manifest: the list of files goes on elsewhere: ")

    play(hub, tmp_path, scene)


@pytest.mark.parametrize("access", ["private", "gated"])
def test_the_token_opens_and_goes_nowhere_else(
    hub: FakeHub, tmp_path: Path, weights: bytes, access: str
) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights, "system": b"hi"}, access=access)

    async def scene(place: Puller) -> None:
        await pull(place)
        assert {seen.authorization for seen in hub.requests("hub")} == {"Bearer hf_good"}
        assert {seen.authorization for seen in hub.requests("cdn")} == {""}
        assert len(hub.requests("cdn")) >= 1

    play(hub, tmp_path, scene, hf_token="hf_good")


def test_what_is_public_needs_no_token(hub: FakeHub, tmp_path: Path, weights: bytes) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights})

    async def scene(place: Puller) -> None:
        await pull(place)
        assert {seen.authorization for seen in hub.seen} == {""}

    play(hub, tmp_path, scene)


CLOSED: dict[str, tuple[str, str, str]] = {
    "private, no token": ("private", "", "set HF_TOKEN for the server"),
    "gated, no token": (
        "gated",
        "",
        "wants its licence accepted: accept it there and set HF_TOKEN",
    ),
    "gated, a token without leave": ("gated", "hf_other", "HF_TOKEN does not open"),
    "private, another's token": ("private", "hf_other", "file does not exist"),
    "private, a wrong token": ("private", "hf_bad", "HF_TOKEN does not open"),
    "not there": ("", "", "is not there, private, or"),
    "not there, a token": ("", "hf_other", "file does not exist"),
}


@pytest.mark.parametrize(("access", "token", "expected"), CLOSED.values(), ids=CLOSED)
def test_closed_repositories_say_what_to_do(
    hub: FakeHub, tmp_path: Path, weights: bytes, access: str, token: str, expected: str
) -> None:
    if access:
        hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights}, access=access)

    async def scene(place: Puller) -> None:
        status, text = await complaint(pull(place))
        assert status == (404 if "does not exist" in expected else 500)
        assert expected in text
        if "does not exist" not in expected:
            assert f"{hub.url}/org/Tiny-GGUF" in text
        assert token not in text or not token
        assert place.library.names() == []

    play(hub, tmp_path, scene, hf_token=token)


@pytest.mark.parametrize("insecure", [False, True])
def test_on_this_machine_a_token_may_be_sent_over_http(
    hub: FakeHub, tmp_path: Path, weights: bytes, insecure: bool
) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-F32.gguf": weights}, access="private")

    async def scene(place: Puller) -> None:
        await place.pull(NAME, insecure=insecure)
        assert {seen.authorization for seen in hub.requests("hub")} == {"Bearer hf_good"}

    play(hub, tmp_path, scene, hf_token="hf_good")


def test_a_closed_repository_may_know_our_key(tmp_path: Path, weights: bytes) -> None:
    """As the reference gets at private repositories: through the Hub's registry."""
    packed = pack_model(("model", weights))
    replies = {f"GET /v2/org/m/blobs/{digest}": Reply(raw) for digest, raw in packed.blobs.items()}
    replies["GET /v2/org/m/manifests/latest"] = Reply(packed.raw)
    replies["GET /api/models/org/m/tree/main?recursive=true"] = Reply(b"who?", status=401)
    with ScriptedServer(dict(replies)) as server:
        name = f"127.0.0.1:{server.port}/org/m"

        async def scene(place: Puller) -> None:
            await place.pull(name)
            assert model(place, name).weights

        async def closed(place: Puller) -> None:
            status, text = await complaint(place.pull(name))
            assert status == 500
            assert text.startswith("pull model manifest: unauthorized: access denied: HF_TOKEN")

        play_there(tmp_path, scene, hf_endpoint=server.url)
        play_there(tmp_path / "other", closed, hf_endpoint=server.url, hf_token="hf_bad")


WRONG: dict[str, tuple[dict[str, bytes], str]] = {
    "no GGUF": (
        {"model.safetensors": b"x"},
        "pull model manifest: the repository has no GGUF files; "
        "its safetensors files cannot be used",
    ),
    "another quantisation": (
        {"Tiny-Q4_0.gguf": b"x" * 2000},
        'pull model manifest: the repository has no "Q8_0": there are Q4_0',
    ),
    "parameters that are no JSON": (
        {"Tiny-Q8_0.gguf": b"x", "params": b"{"},
        "pull model manifest: params is not JSON",
    ),
    "parameters of a wrong type": (
        {"Tiny-Q8_0.gguf": b"x", "params": b'{"temperature":"hot"}'},
        'pull model manifest: option "temperature"',
    ),
    "no model": ({"Tiny-Q8_0.gguf": b"x" * 2000}, "Tiny-Q8_0.gguf cannot be used: invalid file"),
    "a projector": ({"Tiny-Q8_0.gguf": PROJECTOR}, "cannot be used: it is no model: projector"),
}


@pytest.mark.parametrize(("files", "expected"), WRONG.values(), ids=WRONG)
def test_repositories_that_are_no_models(
    hub: FakeHub, tmp_path: Path, files: dict[str, bytes], expected: str
) -> None:
    hub.add("org/Tiny-GGUF", files)

    async def scene(place: Puller) -> None:
        status, text = await complaint(pull(place, f"{NAME}:Q8_0"))
        assert status == 500
        assert expected in text
        assert place.library.names() == []

    play(hub, tmp_path, scene)


def test_a_part_of_another_model(
    hub: FakeHub, tmp_path: Path, weights: bytes, parts: dict[str, bytes]
) -> None:
    files = dict(parts)
    _, second, third = files
    files[second], files[third] = files[third], files[second]
    hub.add("org/Tiny-GGUF", files)

    async def scene(place: Puller) -> None:
        _, text = await complaint(pull(place))
        assert "part 2 of 3 is missing: part 3 is in its place" in text
        assert place.library.names() == []

    play(hub, tmp_path, scene)


LISTS: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"<html>", "the list of files cannot be read"),
    "an object": (b'{"error":"x"}', "the list of files cannot be read"),
    "numbers": (b"[1, 2]", "the list of files cannot be read"),
    "no path": (b'[{"type":"file","size":1}]', "the list of files cannot be read"),
    "a path of control characters": (
        b'[{"path":"a\\n.gguf","size":1}]',
        "the list of files names",
    ),
    "a negative size": (b'[{"path":"a.gguf","size":-1}]', "the list of files names"),
    "a size that is a text": (b'[{"path":"a.gguf","size":"9"}]', "the list of files names"),
    "an impossible size": (
        b'[{"path":"a.gguf","size":1,"lfs":{"oid":"x","size":"y"}}]',
        "gives 'a.gguf' no size",
    ),
    "deep nesting": (b"[" * 100_000, "the list of files cannot be read"),
}


@pytest.mark.parametrize(("raw", "expected"), LISTS.values(), ids=LISTS)
def test_lists_that_cannot_be(tmp_path: Path, raw: bytes, expected: str) -> None:
    path = "/api/models/org/Tiny-GGUF/tree/main?recursive=true"
    with ScriptedServer({f"GET {path}": Reply(raw)}) as server:

        async def scene(place: Puller) -> None:
            status, text = await complaint(pull(place))
            assert status == 500
            assert expected in text

        play_there(tmp_path, scene, hf_endpoint=server.url)
