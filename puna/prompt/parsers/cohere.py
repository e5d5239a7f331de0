"""Cohere's Command models: everything in blocks, or actions in a fence in the earlier ones.

Facts: prompting spec, 3.16.
"""

from __future__ import annotations

from collections.abc import Iterator

from puna.prompt.parsers.family import Body, Family, Found, Kind, Mode, Turn
from puna.prompt.parsers.reading import json_calls
from puna.prompt.parsers.shapes import CALL_GAP, array_call, at_content
from puna.prompt.parsers.watching import watch_json
from puna.prompt.parsers.writing import DIGITS, json_array, json_object

__all__ = ["COHERE", "COMMAND_R"]

_ANSWERS = frozenset({"directly-answer", "directly_answer"})
_read = json_calls(("tool_name", "name"), ("parameters", "arguments"))


def read_action(body: Body) -> Iterator[Found]:
    """Reads an action, but for the one that stands for an answer."""
    return (found for found in _read(body) if found[0] not in _ANSWERS)


def _start(turn: Turn) -> str:
    if turn.opens_thinking is not None:
        return "thinking" if turn.opens_thinking else "between"
    return "thinking" if turn.think and turn.last != "prefill" else "between"


_BLOCKS = {
    "<|START_THINKING|>": "thinking",
    "<|START_TEXT|>": "text",
    "<|START_RESPONSE|>": "text",
    "<|START_ACTION|>": "actions",
    "<|END_OF_TURN_TOKEN|>": "between",
}
_KEYS = ("tool_name", "parameters")
_ID = f'"\\"tool_call_id\\": \\"" {DIGITS} "\\", "'
_ENDS = ("<|END_TEXT|>", "<|END_RESPONSE|>", "<|END_OF_TURN_TOKEN|>")

COHERE = Family(
    {
        "thinking": Mode(Kind.THINKING, {"<|END_THINKING|>": "between"}),
        "between": Mode(Kind.CONTENT, _BLOCKS, otherwise="content"),
        "content": Mode(Kind.CONTENT, _BLOCKS, trims=False),
        "text": Mode(Kind.CONTENT, dict.fromkeys(_ENDS, "between"), trims=False),
        "actions": Mode(
            Kind.GAP, {"{": "action", "<|END_ACTION|>": "between"}, blank=CALL_GAP + "[]"
        ),
        "action": Mode(Kind.CALL, then="actions", read=_read, watch=watch_json(*_KEYS)),
    },
    _start,
    has_thinking=True,
    opening="<|START_THINKING|>",
    calls=json_array(
        "<|START_ACTION|>[\n    ", "\n]<|END_ACTION|>", json_object(_KEYS, before=_ID)
    ),
    answers=(
        ("<|START_TEXT|>", "<|END_TEXT|>"),
        ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ),
)

COMMAND_R = Family(
    array_call(("Action: ```json", "Action:\n```json", "Action:```json"), "```", read_action),
    at_content,
    calls=json_array("Action: ```json\n[\n    ", "\n]```", json_object(_KEYS)),
)
