"""`puna create` from a folder of a model that sees: both files are made, and images matter."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import CHAT_TEMPLATE
from tests.e2e.server import Server
from tests.fakes.projectors import make_image
from tests.fakes.sighted import CHECKPOINTS

pytestmark = pytest.mark.e2e

ONE, OTHER = (base64.b64encode(make_image(seed=seed)).decode() for seed in (1, 2))


@pytest.fixture(scope="module")
def made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny LLaVA of random weights, written as its maker's folder and created by the command."""
    folder = tmp_path_factory.mktemp("seeing")
    source = CHECKPOINTS["llava"].write(folder / "hf")
    (source / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "Modelfile").write_text("FROM ./hf\nPARAMETER temperature 0\n")
    done = puna("create", "seeing", "-q", "q8_0", env=server.env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return "seeing"


def test_it_is_shown_to_see(server: Server, made: str) -> None:
    text = puna("show", made, env=server.env).stdout
    rows = [line.split() for line in text.splitlines()]
    assert ["vision"] in rows
    assert ["architecture", "clip"] in rows
    assert ["quantization", "Q8_0"] in rows
    shown = server.post("/api/show", model=made).json
    assert shown["capabilities"] == ["completion", "vision"]
    assert shown["projector_info"]["clip.projector_type"] == "mlp"
    assert shown["projector_info"]["general.file_type"] == 1


def test_chat_answers_by_what_it_sees(server: Server, made: str) -> None:
    def ask(*images: str) -> dict[str, Any]:
        answer = server.post(
            "/api/chat",
            model=made,
            messages=[{"role": "user", "content": "the dog", "images": list(images)}],
            stream=False,
            logprobs=True,
            options={"num_predict": 4},
        )
        assert answer.status == 200, answer.body
        result: dict[str, Any] = answer.json
        return result

    one, other, again, blind = ask(ONE), ask(OTHER), ask(ONE), ask()
    assert one["logprobs"] == again["logprobs"]
    assert one["logprobs"] != other["logprobs"]
    assert one["prompt_eval_count"] - blind["prompt_eval_count"] == CHECKPOINTS["llava"].tokens
