"""The agent with the model that comes with Puna, on the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.agent.transcript import Transcript
from puna.service.bundled import BUNDLED
from tests.cli.support import puna
from tests.e2e.server import Server, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not (BUNDLED / "cria").is_dir(), reason="the package brings no cria"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with cria under another name, with a short memory, which says the same each time."""
    home = tmp_path_factory.mktemp("home")
    with running_server(home) as started:
        (home / "Modelfile").write_text(
            "FROM cria\nPARAMETER temperature 0\nPARAMETER num_ctx 1024\nPARAMETER num_predict 40\n"
        )
        made = puna("create", "steady", "-f", str(home / "Modelfile"), env=started.env)
        assert made.returncode == 0, made.stderr
        yield started


def test_a_conversation_that_goes_on_is_shortened_in_time(server: Server, tmp_path: Path) -> None:
    """The model's own summary takes the place of what was said, here and on disk."""
    said = Transcript.begin(server.home / "puna" / "agent", "steady", tmp_path)
    story = "The cat sat on the mat and looked at the red door of the old house. " * 24
    for question, answer in (("Tell me a story.", story), ("Another one.", story)):
        said.add({"role": "user", "content": question})
        said.add({"role": "assistant", "content": answer})
    agent = ("run", "steady", "--agent", "--resume", "--tools=list", "--think=false")
    done = puna(*agent, "Good morning!", env=server.env, cwd=tmp_path)
    assert "Compacting" in done.stderr
    assert "nothing to compact" not in done.stderr
    assert done.stdout.strip(), done.stderr
    assert said.path is not None
    lines = [json.loads(line) for line in said.path.read_text().splitlines()]
    [shorter] = [line["messages"] for line in lines if line["type"] == "compacted"]
    assert [message["role"] for message in shorter] == ["user", "assistant", "tool"]
    assert shorter[0]["content"] == "Good morning!"
    assert shorter[2]["tool_name"] == "summary"
    assert 0 < len(shorter[2]["content"]) < len(story)
    assert lines[-1]["message"]["role"] == "assistant"
