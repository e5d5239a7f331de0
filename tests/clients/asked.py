"""What the clients ask: cria knows the answers, which are the same each time."""

from __future__ import annotations

from typing import Any

__all__ = ["ANSWER", "CAPITAL", "FUNCTION", "PARAMETERS", "SUM", "WEATHER"]

CAPITAL = "What is the capital of Japan?"
ANSWER = "The capital of Japan is Tokyo."
WEATHER = "What is the weather in Oslo?"
SUM = "What is 23 + 14?"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": PARAMETERS,
    },
}
