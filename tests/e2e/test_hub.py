"""Models of the Hugging Face Hub by the real server: pulled, run, built upon, listed, removed."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.server import Server, until
from tests.fakes.ggufs import Tensor, pack_gguf
from tests.fakes.hub import FakeHub, fake_hub
from tests.fakes.splits import make_split_llama

pytestmark = pytest.mark.e2e

I8 = 24
WHOLE, PARTS = "hf.co/org/Tiny-GGUF", "hf.co/org/Split-GGUF"


@pytest.fixture
def hub(tmp_path: Path, tiny_gguf: Path) -> Iterator[FakeHub]:
    (tmp_path / "parts").mkdir()
    parts = make_split_llama(tmp_path / "parts", "Split-F32")
    with fake_hub() as started:
        started.add("org/Tiny-GGUF", {"Tiny-F32.gguf": tiny_gguf.read_bytes()})
        files = {path.name: path.read_bytes() for path in parts}
        started.add("org/Split-GGUF", files, access="gated")
        yield started


@pytest.fixture
def server(start: Start, hub: FakeHub) -> Server:
    return start(HF_ENDPOINT=hub.url, HF_TOKEN=hub.token)


def test_a_model_is_pulled_run_and_built_upon(
    server: Server, hub: FakeHub, tmp_path: Path, tiny_gguf: Path
) -> None:
    said = server.generate(server.create("local", tiny_gguf), "the dog", options={"num_predict": 8})
    run = puna("run", f"{WHOLE}:F32", "the dog", env=server.env)
    assert run.returncode == 0, run.stderr
    answer = server.generate(f"{WHOLE}:F32", "the dog", options={"num_predict": 8})
    assert answer == said
    modelfile = tmp_path / "Modelfile"
    modelfile.write_text(f"FROM {WHOLE}\nSYSTEM Be brief.\n")
    made = puna("create", "brief", "-f", str(modelfile), env=server.env)
    assert made.returncode == 0, made.stderr
    listed = puna("list", env=server.env).stdout
    assert f"{WHOLE}:F32" in listed
    assert f"{WHOLE}:latest" in listed
    gone = puna("rm", f"{WHOLE}:F32", WHOLE, "brief", "local", env=server.env)
    assert gone.returncode == 0, gone.stderr
    assert server.files() == set()


def test_parts_say_what_the_whole_says(server: Server, hub: FakeHub, tiny_gguf: Path) -> None:
    events = server.post("/api/pull", model=PARTS).lines
    assert events[0] == {"status": "pulling manifest"}
    assert events[-1] == {"status": "success"}
    assert len({event["digest"] for event in events if "digest" in event}) == 3
    whole = server.create("whole", tiny_gguf)
    assert server.generate(PARTS, "the dog") == server.generate(whole, "the dog")

    def take_the_same() -> bool:
        sizes = {row["name"]: row["size"] for row in server.get("/api/ps").json["models"]}
        return bool(abs(sizes[f"{PARTS}:latest"] / sizes["whole:latest"] - 1) < 0.01)

    until(take_the_same, "both have all their contexts, and but for rounding the same size")
    (size,) = [
        row["size"]
        for row in server.get("/api/tags").json["models"]
        if row["name"] == f"{PARTS}:latest"
    ]
    assert size > tiny_gguf.stat().st_size
    verified = puna("verify", PARTS, env=server.env)
    assert verified.returncode == 0, verified.stdout
    assert {seen.authorization for seen in hub.requests("cdn")} == {""}


def test_errors_say_what_to_do(start: Start, hub: FakeHub) -> None:
    server = start(HF_ENDPOINT=hub.url)
    unknown = puna("pull", f"{WHOLE}:Q9_K", env=server.env)
    assert unknown.returncode == 1
    assert 'the repository has no "Q9_K": there are F32' in unknown.stderr
    gated = puna("pull", PARTS, env=server.env)
    assert gated.returncode == 1
    assert f"{hub.url}/org/Split-GGUF" in gated.stderr
    assert "set HF_TOKEN for the server" in gated.stderr


def test_a_killed_server_goes_on_where_it_was(start: Start, hub: FakeHub) -> None:
    data = random.Random(1).randbytes(24_000_000)
    weights = pack_gguf(
        {"general.architecture": "llama", "llama.block_count": 1},
        [Tensor("x", (len(data),), kind=I8, data=data)],
    )
    hub.add("org/Big-GGUF", {"Big-Q8_0.gguf": weights})
    hub.gate = threading.Event()
    server = start(HF_ENDPOINT=hub.url)
    with server.stream("/api/pull", model="hf.co/org/Big-GGUF") as steps:
        for step in steps:
            if (came := step.get("completed", 0)) > 8_000_000:
                break
        server.end(signal.SIGKILL)
    hub.gate.set()
    hub.gate = None
    again = start(HF_ENDPOINT=hub.url, OLLAMA_MODELS=str(server.store))
    assert again.post("/api/pull", model="hf.co/org/Big-GGUF", stream=False).status == 200
    unit = 1 << 20
    assert sum(hub.sent.values()) <= len(weights) - came + 9 * unit
    (row,) = again.get("/api/tags").json["models"]
    assert row["name"] == "hf.co/org/Big-GGUF:latest"
