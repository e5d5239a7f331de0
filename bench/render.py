"""What it costs to render a long chat with a Go template, in milliseconds.

Run `python -m bench.render`. A chat of 100 messages and 20 tools goes through templates in the
styles of ChatML, Llama 3 and Mistral, as a request would: parsed before, rendered anew. Figures are
processor time.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from puna.api.requests import FunctionCall, Message, ToolCall
from puna.prompt.layer import LayerTemplate
from tests.prompt.layer.templates import CHATML, LLAMA, MISTRAL

TURNS = 25
TOOLS = 20
ROUNDS = 200
STYLES = {"ChatML": CHATML, "Llama 3": LLAMA, "Mistral": MISTRAL}


def make_chat() -> list[Message]:
    """Turns of four messages, a question, a call, its result and an answer; the last is asked
    again, since some templates show the tools to the last question alone.
    """
    messages: list[Message] = []
    for turn in range(TURNS):
        call = FunctionCall(name=f"tool_{turn % TOOLS}", arguments={"place": "Lima", "days": turn})
        messages += [
            Message(role="user", content=f"What about number {turn}? " + "It matters. " * 20),
            Message(role="assistant", tool_calls=[ToolCall(id=f"call_{turn}", function=call)]),
            Message(role="tool", content='{"result": "fine"}', tool_name=call.name),
            Message(role="assistant", content="It is fine. " * 40),
        ]
    return [*messages[:-1], Message(role="user", content="And now?")]


def make_tools() -> list[dict[str, Any]]:
    """Tools with five parameters each."""
    properties = {
        f"parameter_{at}": {"type": "string", "description": "What is wanted, and in which unit"}
        for at in range(5)
    }
    parameters = {"type": "object", "required": ["parameter_0"], "properties": properties}
    return [
        {
            "type": "function",
            "function": {
                "name": f"tool_{at}",
                "description": "Looks up what is known about a place",
                "parameters": parameters,
            },
        }
        for at in range(TOOLS)
    ]


def main() -> None:
    """Print a line for each style."""
    messages, tools = make_chat(), make_tools()
    for name, source in STYLES.items():
        layer = LayerTemplate.parse(source)
        times = []
        for _ in range(ROUNDS):
            start = time.thread_time()
            text = layer.render_chat(messages, tools=tools)
            times.append(1000 * (time.thread_time() - start))
        print(
            f"{name}: median {statistics.median(times):.2f} ms, fastest {min(times):.2f} ms, "
            f"{len(text)} characters"
        )


if __name__ == "__main__":
    main()
