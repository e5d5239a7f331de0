"""What the scripted server of these tests says, and what it was asked."""

from __future__ import annotations

from tests.fakes.http_server import Json, Reply, ScriptedServer

MODEL: Json = {
    "capabilities": ["completion", "tools"],
    "model_info": {"llama.context_length": 32768},
    "system": "Be kind.",
}


def say(text: str = "", *calls: tuple[str, Json], tokens: int = 10) -> Reply:
    """An answer with calls."""
    message: Json = {
        "content": text,
        "tool_calls": [{"function": {"name": name, "arguments": given}} for name, given in calls],
    }
    return Reply(lines=[{"message": message}, {"done": True, "prompt_eval_count": tokens}])


def last_messages(server: ScriptedServer) -> list[Json]:
    messages = server.requests("/api/chat")[-1]["messages"]
    assert isinstance(messages, list)
    return messages
