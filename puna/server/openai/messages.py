"""The messages of a chat, translated. Facts: compatibility spec, 2.2, 2.3 and 9.2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from puna.api.fields import MediaData
from puna.api.openai import ChatMessage, MessageToolCall
from puna.api.requests import FunctionCall, Message, ToolCall
from puna.errors import BadRequest, InvalidField, TooLarge, quoted
from puna.server.text_files import read_text_file, shown_name

__all__ = ["read_audio", "read_image", "read_messages"]

_IMAGES = (
    "data:image/jpeg;base64,",
    "data:image/jpg;base64,",
    "data:image/png;base64,",
    "data:image/webp;base64,",
    "data:;base64,",
)
_REMOTE = "image URLs are not currently supported, please use base64 encoded data instead"
_GO_KINDS = {
    type(None): "<nil>",
    bool: "bool",
    int: "float64",
    float: "float64",
    dict: "map[string]interface {}",
}
_ROLES = {"developer": "system", "function": "tool"}


def read_messages(messages: Sequence[ChatMessage]) -> list[Message]:
    """One native message for each. Raises InvalidField."""
    messages = [_renewed(message) for message in messages]
    names = {
        call.id: call.function.name for message in messages for call in message.tool_calls or ()
    }
    return [
        _read_message(message, names, f"messages.{number}")
        for number, message in enumerate(messages)
        if message.content != [] or message.tool_calls
    ]


def _renewed(message: ChatMessage) -> ChatMessage:
    """The message with its call in the form of today."""
    if message.function_call is None:
        return message
    return replace(message, tool_calls=[MessageToolCall(function=message.function_call)])


def _read_message(message: ChatMessage, names: dict[str, str], place: str) -> Message:
    role = message.role.lower()
    role = _ROLES.get(role, role)
    text, images = _read_content(message, f"{place}.content")
    tool_name = message.name or names.get(message.tool_call_id, "")
    return Message(
        role=role,
        content=text,
        thinking=message.reasoning or message.reasoning_content,
        images=images,
        tool_calls=[_read_call(call, f"{place}.tool_calls") for call in message.tool_calls or ()],
        tool_name=tool_name if role == "tool" else "",
        tool_call_id=message.tool_call_id,
    )


def _read_content(message: ChatMessage, param: str) -> tuple[str, list[MediaData]]:
    content = message.content
    if isinstance(content, str):
        return content, []
    if isinstance(content, list):
        parts = [_read_part(part, param) for part in content]
        text = "\n".join(part for part in parts if not isinstance(part, MediaData))
        return text, [part for part in parts if isinstance(part, MediaData)]
    if message.tool_calls is None and not (content is None and message.role.lower() == "assistant"):
        kind = _GO_KINDS.get(type(content), "unknown")
        raise InvalidField(f"invalid message content type: {kind}", param)
    return "", []


def _read_part(part: Any, param: str) -> str | MediaData:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            return read_image(url, param)
        case {"type": "file", "file": {"file_data": str(data)} as file}:
            name = shown_name(file.get("filename"))
            text = read_text_file(data, param)
            return f"{name}\n{text}" if name else text
        case {"type": "file"}:
            message = "files are not kept here or fetched: send file_data"
            raise InvalidField(message, param, "unsupported_value")
        case {"type": "input_audio"}:
            return read_audio(part.get("input_audio"), param)
        case {"type": str(kind)} if kind not in {"text", "image_url"}:
            raise InvalidField(
                f"invalid message format: parts of type {quoted(kind[:40])} are not supported",
                param,
                "unsupported_value",
            )
    raise InvalidField("invalid message format", param)


def read_audio(value: Any, param: str) -> MediaData:
    """The recording of an `input_audio` part; its bytes say which kind it is. Raises InvalidField,
    TooLarge."""
    if not isinstance(value, dict):
        raise InvalidField("invalid input_audio format", param)
    data = value.get("data")
    if not isinstance(data, str) or not data:
        raise InvalidField("invalid input_audio format: missing data", param)
    if data.startswith("data:"):
        data = data.partition(",")[2]
    try:
        return MediaData.parse(data, "recording")
    except TooLarge:
        raise
    except BadRequest as error:
        raise InvalidField(f"invalid input_audio base64 data: {error}", param) from None


def read_image(url: str, param: str) -> MediaData:
    """The image in a data URL. Raises InvalidField."""
    if url.startswith(("http://", "https://")):
        raise InvalidField(_REMOTE, param, "unsupported_value")
    for prefix in _IMAGES:
        if url.startswith(prefix):
            try:
                return MediaData.parse(url[len(prefix) :])
            except BadRequest:
                break
    raise InvalidField("invalid image input", param)


def _read_call(call: MessageToolCall, param: str) -> ToolCall:
    try:
        arguments = json.loads(call.function.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidField("invalid tool call arguments", param)
    return ToolCall(id=call.id, function=FunctionCall(name=call.function.name, arguments=arguments))
