"""The items of a conversation as messages. Facts: compatibility spec, 6.2 (RS-3 to RS-8) and 9.6.

Calls of the vendor's own tools, and whatever else a newer client has in its history, are left out:
there is nothing in them for this model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from puna.api.decode import MOST_ITEMS
from puna.api.requests import FunctionCall, Message, ToolCall
from puna.errors import InvalidField, quoted
from puna.server.openai.responses.parts import read_content
from puna.server.openai.responses.tools import CALLS, RESULTS

__all__ = ["Item", "read_input", "read_instructions", "read_items"]

Item = dict[str, Any]

_ROLES = {"developer": "system"}
_FOREIGN = "gAAAA"  # how thoughts begin that the vendor has encrypted


def read_input(value: Any) -> list[Item]:
    """`input` as a list of items; a text is one message. Raises InvalidField."""
    match value:
        case None:
            return []
        case str():
            return [{"type": "message", "role": "user", "content": value}]
        case list() if len(value) > MOST_ITEMS:
            raise InvalidField(f"input has more than {MOST_ITEMS} items", "input")
        case list():
            return [_item(each, f"input[{at}]") for at, each in enumerate(value)]
    raise InvalidField("input must be a string or array", "input", "invalid_type")


def _item(value: Any, place: str) -> Item:
    if not isinstance(value, dict):
        raise InvalidField(f"{place}: an input item must be an object", place, "invalid_type")
    item: Item = value
    match item:
        case {"type": str(kind)} if kind:
            return item
        case {"role": str()}:
            return item | {"type": "message"}
    raise InvalidField(f"{place}: input item missing required 'type' field", place)


def read_instructions(value: Any) -> str:
    """The text of `instructions`: a text, or messages whose texts are joined. Raises
    InvalidField."""
    if not isinstance(value, list):
        return read_content(value, "instructions", "text")[0]
    texts = []
    for at, each in enumerate(value):
        place = f"instructions[{at}]"
        texts.append(read_content(_item(each, place).get("content"), place, "content")[0])
    return "\n".join(text for text in texts if text)


def read_items(items: Sequence[Item], first: int = 0) -> list[Message]:
    """The messages that items stand for. Raises InvalidField.

    `first` items come from earlier responses: places in errors count from the one after.
    """
    reader = _Reader(items)
    for at, item in enumerate(items):
        reader.read(at, item, f"input[{at - first}]")
    return reader.end()


class _Reader:
    def __init__(self, items: Sequence[Item]) -> None:
        self._messages: list[Message] = []
        self._names: dict[str, str] = {}
        self._thoughts = ""
        self._answered = {
            str(item.get("call_id") or item.get("id")): at
            for at, item in enumerate(items)
            if item.get("type") in RESULTS
        }
        """Where each call has its result; the last one counts."""

    def read(self, at: int, item: Item, place: str) -> None:
        kind = item["type"]
        if kind == "message":
            self._message(at, item, place)
        elif kind == "reasoning":
            self._thoughts = _thoughts(item) or self._thoughts
        elif kind in CALLS:
            self._call(item, place)
        elif kind in RESULTS:
            self._result(item, place)

    def end(self) -> list[Message]:
        if self._thoughts:
            self._messages.append(Message(role="assistant", thinking=self._take_thoughts()))
        return self._messages

    def _take_thoughts(self) -> str:
        taken, self._thoughts = self._thoughts, ""
        return taken

    def _message(self, at: int, item: Item, place: str) -> None:
        role = item.get("role")
        if not isinstance(role, str) or not role:
            raise InvalidField(f"{place}: a message needs a role", f"{place}.role")
        role = role.lower()
        text, images = read_content(item.get("content"), place, "content")
        if role != "assistant":
            role = _ROLES.get(role, role)
            self._messages.append(Message(role=role, content=text, images=images))
            return
        last = self._messages[-1] if self._messages else None
        if last is not None and self._waits(last, at):  # RS-5: the result must follow its call
            last.content = "\n".join(filter(None, (last.content, text)))
            self._think(last)
            return
        message = Message(role=role, content=text, images=images, thinking=self._take_thoughts())
        self._messages.append(message)

    def _waits(self, last: Message, at: int) -> bool:
        calls = last.tool_calls if last.role == "assistant" else []
        return any(self._answered.get(call.id, -1) > at for call in calls)

    def _think(self, message: Message) -> None:
        thoughts = self._take_thoughts()
        message.thinking = "\n".join(filter(None, (message.thinking, thoughts)))

    def _call(self, item: Item, place: str) -> None:
        name, arguments = CALLS[item["type"]](item)
        call_id = _text(item.get("call_id")) or _text(item.get("id"))
        if not isinstance(arguments, dict):
            arguments = _arguments(arguments, place)
        self._names[call_id] = name
        if not self._messages or self._messages[-1].role != "assistant":
            self._messages.append(Message(role="assistant"))
        message = self._messages[-1]
        self._think(message)
        function = FunctionCall(name=name, arguments=arguments)
        message.tool_calls.append(ToolCall(id=call_id, function=function))

    def _result(self, item: Item, place: str) -> None:
        call_id = _text(item.get("call_id")) or _text(item.get("id"))
        output = item.get("output")
        if item["type"] == "shell_call_output":
            output = json.dumps(output, ensure_ascii=False)
        text, images = read_content(output, place, "output")
        message = Message(role="tool", content=text, images=images, tool_call_id=call_id)
        message.tool_name = self._names.get(call_id, "")
        self._messages.append(message)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: Any, place: str) -> dict[str, Any]:
    try:
        read = json.loads(value) if value else {}
    except (ValueError, TypeError, RecursionError):
        read = None
    if not isinstance(read, dict):
        shown = quoted(str(value)[:80])
        message = f"{place}: failed to parse function call arguments: {shown}"
        raise InvalidField(message, f"{place}.arguments")
    return read


def _thoughts(item: Item) -> str:
    """Ours come back in `encrypted_content`; those of others have at most texts."""
    sealed = _text(item.get("encrypted_content"))
    if sealed and not (sealed.startswith(_FOREIGN) and not any(map(str.isspace, sealed))):
        return sealed
    for name in ("content", "summary"):
        parts = item.get(name)
        if isinstance(parts, list):
            texts = [_text(part.get("text")) for part in parts if isinstance(part, dict)]
            if text := "\n".join(filter(None, texts)):
                return text
    return ""
