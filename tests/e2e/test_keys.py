"""A real server that wants a key, and every kind of client with the key and without."""

from __future__ import annotations

import anthropic
import ollama
import openai
import pytest

from tests.cli.support import environment, puna
from tests.e2e.conftest import Start

pytestmark = pytest.mark.e2e


def test_clients_with_the_key_and_without(start: Start) -> None:
    server = start(PUNA_API_KEY="pk-1,pk-2")
    for path in ("/", "/health", "/version", "/api/version"):
        assert server.get(path).status == 200

    for key, is_right in (("pk-2", True), ("wrong", False)):
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client:
            if is_right:
                assert list(client.models.list()) == []
            else:
                with pytest.raises(openai.AuthenticationError) as refused:
                    client.models.list()
                assert refused.value.code == "invalid_api_key"
        with anthropic.Anthropic(base_url=server.url, api_key=key, max_retries=0) as client:
            error = anthropic.NotFoundError if is_right else anthropic.AuthenticationError
            with pytest.raises(error):
                client.messages.create(
                    model="nobody", messages=[{"role": "user", "content": "hi"}], max_tokens=5
                )
        headers = {"Authorization": f"Bearer {key}"}
        with ollama.Client(server.url, headers=headers) as mine:
            if is_right:
                assert mine.list().models == []
            else:
                with pytest.raises(ollama.ResponseError, match="this server wants an API key"):
                    mine.list()

    env = environment(server.home, OLLAMA_HOST=f"127.0.0.1:{server.port}")
    listed = puna("list", env={**env, "PUNA_API_KEY": "pk-1"})
    assert (listed.returncode, listed.stdout.split()[0]) == (0, "NAME")
    for command in (("list",), ("pull", "nobody"), ("run", "nobody", "hi")):
        told = puna(*command, env=env)
        assert told.returncode == 1
        assert "this server wants an API key" in told.stderr
        assert "PUNA_API_KEY" in told.stderr
    assert "pk-" not in server.log
