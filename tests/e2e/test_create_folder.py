"""`puna create` from a folder of Hugging Face files: the real converter, a model that answers."""

from __future__ import annotations

import base64
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from puna.convert.adapter import convert_adapter
from puna.convert.conversion import Order
from puna.convert.model import convert_model
from tests.cli.support import puna
from tests.e2e.conftest import CHAT_TEMPLATE, Start
from tests.e2e.server import Server, is_running, processes, until
from tests.fakes.checkpoints import llama_weights, make_checkpoint, write_safetensors
from tests.fakes.fixtures import SHARED
from tests.fakes.pickled import write_pickled
from tests.fakes.projectors import make_image
from tests.fakes.sighted import CHECKPOINTS

pytestmark = pytest.mark.e2e

PROMPT = "Once upon a time"
GREEDY = {"num_predict": 24}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = SHARED / "fixtures" / "stories260K-hf"
    if not source.is_dir():
        pytest.skip(f"needs the model folder {source}")
    shutil.copytree(source, tmp_path / "weights", copy_function=shutil.copyfile)
    (tmp_path / "weights").chmod(0o755)
    (tmp_path / "Modelfile").write_text("FROM ./weights\n")
    return tmp_path


def test_a_folder_becomes_a_model_that_answers_as_its_gguf_does(
    server: Server, stories: str, folder: Path
) -> None:
    before = {name for name in server.files() if "sha256-" in name}
    done = puna("create", "from-folder", env=server.env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "converting model" in done.stderr
    text = server.generate("from-folder", PROMPT, options=GREEDY)
    assert text == server.generate(stories, PROMPT, options=GREEDY)
    shown = puna("show", "from-folder", env=server.env).stdout
    assert "llama" in shown
    assert not [name for name in server.files() - before if "sha256-" in name and len(name) < 70]
    assert not list((server.store / ".puna.work").iterdir())


def test_a_folder_is_quantised(server: Server, folder: Path) -> None:
    done = puna("create", "from-folder-q8", "-q", "q8_0", env=server.env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "to Q8_0" in done.stderr
    rows = [
        line.split() for line in puna("show", "from-folder-q8", env=server.env).stdout.splitlines()
    ]
    assert ["quantization", "Q8_0"] in rows
    assert len(server.generate("from-folder-q8", PROMPT, options=GREEDY)) > 24


def test_weights_of_eight_bits_become_eight_bits(server: Server, tmp_path: Path) -> None:
    """Where nobody asks for another type."""
    weights = llama_weights()
    name = "model.layers.0.mlp.down_proj.weight"
    weights[name] = np.full(weights[name].shape, 0x30, np.uint8)
    weights[f"{name}_scale_inv"] = np.ones(1, np.float32)
    make_checkpoint(tmp_path / "weights", weights)
    (tmp_path / "Modelfile").write_text("FROM ./weights\n")
    done = puna("create", "from-fp8", env=server.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "to Q8_0" in done.stderr
    assert "Q8_0" in puna("show", "from-fp8", env=server.env).stdout.split()


@pytest.mark.parametrize("words", [(), ("-q", "q8_0")], ids=["as it is", "quantised"])
def test_a_folder_that_sees_becomes_a_model_that_sees(
    server: Server, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The weights change with `--quantize`, the projector beside them does not."""
    source, model = CHECKPOINTS["llava"], f"seeing{len(words)}"
    folder = source.write(tmp_path / "weights")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (tmp_path / "Modelfile").write_text("FROM ./weights\n")
    done = puna("create", model, *words, env=server.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = puna("show", model, env=server.env).stdout.split()
    assert {"vision", "Projector", "clip"} <= set(shown)
    assert ("Q8_0" in shown) == bool(words)
    images = [base64.b64encode(make_image(*source.size, seed=seed)).decode() for seed in (1, 2, 1)]
    one, other, again = (
        server.post(
            "/api/chat",
            model=model,
            messages=[{"role": "user", "content": "the", "images": [image]}],
            stream=False,
            logprobs=True,
            options={"num_predict": 2, "temperature": 0},
        ).json
        for image in images
    )
    assert one["prompt_eval_count"] > source.tokens
    assert one["logprobs"] == again["logprobs"] != other["logprobs"]


def test_weights_of_torchs_become_a_model_only_when_asked_for(
    server: Server, tmp_path: Path
) -> None:
    source = make_checkpoint(tmp_path / "weights")
    (source / "model.safetensors").unlink()
    write_pickled(source / "pytorch_model.bin", llama_weights())
    (tmp_path / "Modelfile").write_text("FROM ./weights\n")
    done = puna("create", "from-torch", env=server.env, cwd=tmp_path)
    assert done.returncode == 1
    assert "--allow-pickle" in done.stderr
    done = puna("create", "from-torch", "--allow-pickle", env=server.env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "from-torch" in puna("list", env=server.env).stdout


def test_a_broken_folder_names_what_is_wrong_and_leaves_no_model(
    server: Server, folder: Path
) -> None:
    weights = folder / "weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    done = puna("create", "broken-folder", env=server.env, cwd=folder)
    assert done.returncode == 1
    assert "model.safetensors" in done.stderr.splitlines()[-1]
    assert "broken-folder" not in puna("list", env=server.env).stdout
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    done = puna("create", "broken-folder", env=server.env, cwd=folder)
    assert "is a pointer of Git LFS" in done.stderr
    weights.unlink()
    done = puna("create", "broken-folder", env=server.env, cwd=folder)
    assert done.stderr.splitlines()[-1] == "Error: no Modelfile or safetensors files found"


ADAPTED = {
    "model.layers.0.self_attn.q_proj": (32, 32),
    "model.layers.1.mlp.down_proj": (32, 48),
}


def test_adapters_of_either_form_answer_as_merged_weights_do(
    server: Server, tmp_path: Path
) -> None:
    """The first is a folder beside the model's; the second, a GGUF file, is laid over both."""
    base, random = make_checkpoint(tmp_path / "hf"), np.random.default_rng(1)
    weights = llama_weights()
    for number, (module, (n_out, n_in)) in enumerate(ADAPTED.items()):
        a, b = (random.normal(size=shape).astype(np.float32) for shape in ((4, n_in), (n_out, 4)))
        weights[f"{module}.weight"] = weights[f"{module}.weight"] + 2 * (b @ a)
        (tmp_path / f"lora-{number}").mkdir()
        write_safetensors(
            tmp_path / f"lora-{number}" / "adapter_model.safetensors",
            {
                f"base_model.model.{module}.lora_A.weight": a,
                f"base_model.model.{module}.lora_B.weight": b,
            },
        )
        config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
        (tmp_path / f"lora-{number}" / "adapter_config.json").write_text(json.dumps(config))
    converted = tmp_path / "base.gguf"
    convert_model(Order("model", str(base), str(converted)), lambda _done, _total: None)
    second = tmp_path / "lora-1.gguf"
    convert_adapter(tmp_path / "lora-1", converted, second, lambda _done, _total: None)
    make_checkpoint(tmp_path / "merged", weights)
    files = {
        "one-adapter": "FROM ./hf\nADAPTER ./lora-0\n",
        "two-adapters": "FROM one-adapter\nADAPTER ./lora-1.gguf\n",
        "merged-adapters": "FROM ./merged\n",
    }
    told = {}
    for model, text in files.items():
        (tmp_path / "Modelfile").write_text(text)
        done = puna("create", model, env=server.env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ("converting adapter" in done.stderr) == (model == "one-adapter")
        told[model] = likely(server, model)
    two, merged = told["two-adapters"], told["merged-adapters"]
    assert [token for token, _ in two] == [token for token, _ in merged]
    assert np.allclose([p for _, p in two], [p for _, p in merged], atol=0.05)
    assert told["one-adapter"] != two


def likely(server: Server, model: str) -> list[tuple[str, float]]:
    """The tokens that are most likely to come next, and the logarithms of their probabilities."""
    answer = server.post(
        "/api/generate",
        model=model,
        prompt="a b c",
        raw=True,
        stream=False,
        logprobs=True,
        top_logprobs=5,
        options={"num_predict": 1, "temperature": 0},
    ).json
    return [(one["token"], one["logprob"]) for one in answer["logprobs"][0]["top_logprobs"]]


def test_a_server_killed_while_it_converts_leaves_no_half_model(start: Start, folder: Path) -> None:
    server = start()
    source = folder / "weights"
    files = {path.name: server.upload(path.read_bytes()) for path in source.iterdir()}
    order = {"model": "made", "files": files}
    with server.sent("/api/create", **order):
        until(lambda: bool(processes(server.home, "puna.convert.converter")), "the child starts")
        [pid] = processes(server.home, "puna.convert.converter")
        server.end(signal.SIGKILL)
        until(lambda: not is_running(pid), "the converter follows its server")
    again = start(OLLAMA_MODELS=str(server.store))
    assert again.get("/api/tags").json["models"] == []
    assert again.post("/api/create", **order, stream=False).json == {"status": "success"}
    assert not list((server.store / ".puna.work").iterdir())
