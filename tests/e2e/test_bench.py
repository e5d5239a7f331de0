"""`puna bench` against the real server: its figures are of what the server did."""

from __future__ import annotations

import json

import pytest

from tests.cli.support import puna
from tests.e2e.server import Server, until

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def unloaded(server: Server) -> None:
    """A model that another test loaded may have another context."""
    server.post("/api/generate", model="tiny", keep_alive=0)
    until(lambda: "tiny:latest" not in server.loaded(), "the model is unloaded")


def test_every_length_and_number_of_users_is_measured(server: Server) -> None:
    lengths = ["--prompt-tokens", "40,200,510", "--tokens", "8"]
    done = puna("bench", "tiny", *lengths, "--concurrency", "1,2", "--json", env=server.env)
    assert done.returncode == 0, done.stderr
    assert "a context of 512 tokens has no room for prompts of 510" in done.stderr
    told = json.loads(done.stdout)
    assert (told["model"], told["context_length"]) == ("tiny", 512)
    assert [speed["concurrency"] for speed in told["speeds"]] == [1, 2, 1, 2]
    for speed, length in zip(told["speeds"], (40, 40, 200, 200), strict=True):
        assert speed["prompt_tokens"] == pytest.approx(length, rel=0.3)
        assert 0 < speed["tokens"] <= 8 * speed["concurrency"]
        assert speed["first_token_seconds"] > 0
        assert speed["prefill_rate"] > 0


ERRORS = {
    "no numbers": (["tiny", "--concurrency", "1,x"], "invalid value for --concurrency"),
    "none": (["tiny", "--prompt-tokens", ""], "invalid value for --prompt-tokens"),
    "an answer of one token": (["tiny", "--tokens", "1"], "--tokens must be from 2"),
    "nothing fits": (["tiny", "--prompt-tokens", "512"], "has no room for prompts of 512"),
    "a model of vectors": (["bert"], "bert makes vectors, not text"),
    "no model": (["nope"], "model 'nope:latest' not found"),
}


@pytest.mark.parametrize(("args", "error"), ERRORS.values(), ids=ERRORS)
@pytest.mark.usefixtures("bert")
def test_what_cannot_be_measured(args: list[str], error: str, server: Server) -> None:
    done = puna("bench", *args, env=server.env)
    assert (done.returncode, done.stdout) == (1, "")
    assert error in done.stderr
