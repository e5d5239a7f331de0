"""A Modelfile with DRAFT: the model says what it says without, faster where that can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import puna
from tests.e2e.conftest import Start
from tests.e2e.server import Server
from tests.e2e.test_together import PROMPTS, ask_all

pytestmark = pytest.mark.e2e

EXACT = {"OLLAMA_KV_CACHE_TYPE": "f32", "OLLAMA_FLASH_ATTENTION": "0"}
USED = "guessing tokens with the draft model"


def make(server: Server, name: str, lines: str, folder: Path) -> None:
    """Create a model of a Modelfile by the command line."""
    (folder / "Modelfile").write_text(lines)
    done = puna("create", name, env=server.env, cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def files(tmp_path: Path, tiny_gguf: Path, other_gguf: Path) -> Path:
    """A folder with a model and another one of the same vocabulary."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "large.gguf").write_bytes(tiny_gguf.read_bytes())
    (folder / "small.gguf").write_bytes(other_gguf.read_bytes())
    return folder


def test_the_text_is_the_same(start: Start, files: Path) -> None:
    server = start(**EXACT)
    make(server, "plain", "FROM ./large.gguf\n", files)
    plain = [ask_all(server, "plain", [prompt], 40)[0] for prompt in PROMPTS]
    assert USED not in server.log
    make(server, "drafted", "FROM ./large.gguf\nDRAFT ./small.gguf\n", files)
    assert [ask_all(server, "drafted", [prompt], 40)[0] for prompt in PROMPTS] == plain
    assert ask_all(server, "drafted", PROMPTS, 40) == plain
    assert USED in server.log
    options = {"num_predict": 40, "draft_num_predict": 0}
    assert server.generate("drafted", PROMPTS[0], options=options) == plain[0]
    assert ask_all(server, "plain", PROMPTS, 40) == plain
    assert len(server.runners()) == 1  # the same weights: one runner serves both


@pytest.mark.parametrize("speculation", ["lookup", "off"])
def test_the_setting_turns_it_off(start: Start, files: Path, speculation: str) -> None:
    server = start(PUNA_SPECULATION=speculation)
    make(server, "drafted", "FROM ./large.gguf\nDRAFT ./small.gguf\n", files)
    assert server.generate("drafted", "Once", options={"num_predict": 20})
    assert USED not in server.log


def test_what_is_no_draft_model_stops_nothing(start: Start, files: Path) -> None:
    server = start()
    make(server, "drafted", "FROM ./large.gguf\nDRAFT ./small.gguf\n", files)
    draft = files / "small.gguf"
    (blob,) = (path for path in server.store.rglob("sha256-*") if same(path, draft))
    blob.write_bytes(draft.read_bytes()[:-4096])
    assert server.generate("drafted", "Once", options={"num_predict": 20})
    assert USED not in server.log


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()
