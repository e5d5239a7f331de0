"""What the scripted server of these tests says."""

from __future__ import annotations

from tests.fakes.http_server import Json

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
