"""What the scripted server of these tests says, and what was said to it."""

from __future__ import annotations

from typing import Any

from tests.fakes.http_server import Json, ScriptedServer

MODEL: Json = {
    "capabilities": ["completion"],
    "details": {"family": "llama", "parameter_size": "7B", "quantization_level": "F16"},
    "modelfile": "FROM x",
    "messages": [{"role": "user", "content": "old?"}, {"role": "assistant", "content": "Old!"}],
}
ANSWER: list[Json] = [
    {"message": {"content": "Hello "}},
    {"message": {"content": "you"}},
    {"message": {"content": ""}, "done": True, "total_duration": 1_000_000_000},
]


def said_to(server: ScriptedServer) -> list[str]:
    """The newest message of each chat."""
    bodies: list[Any] = [*server.requests("/api/chat")]
    return [body["messages"][-1]["content"] for body in bodies]
