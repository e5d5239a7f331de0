"""From blocks of content to messages. Facts: compatibility spec, sections 8.2 and 9.7."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from puna.api.anthropic import Block, InputMessage, Source
from puna.api.decode import read_value
from puna.api.fields import MediaData
from puna.api.requests import FunctionCall, Message, ToolCall
from puna.errors import BadRequest, quoted
from puna.server.text_files import read_text_file, shown_name

__all__ = ["read_blocks", "read_messages", "text_of"]


def read_messages(entries: Sequence[InputMessage]) -> list[Message]:
    """The messages of a conversation, in order. Raises BadRequest for what they cannot hold."""
    names: dict[str, str] = {}
    out: list[list[Message]] = []
    for entry in entries:
        for message in _read_message(entry, names):
            if out and _goes_on(out[-1][-1], message):
                out[-1].append(message)
            else:
                out.append([message])
    return [_joined(each) for each in out]


def _goes_on(last: Message, message: Message) -> bool:
    """Whether both are one turn: those of one side that follow each other are, as the API has it.
    Calls and thoughts keep their own.
    """
    is_plain = not any((last.tool_calls, last.thinking, message.tool_calls, message.thinking))
    return last.role == message.role and last.role in {"user", "assistant"} and is_plain


def _joined(turn: list[Message]) -> Message:
    if len(turn) > 1:
        turn[0].content = "\n\n".join(each.content for each in turn if each.content)
        turn[0].images = [image for each in turn for image in each.images]
    return turn[0]


def read_blocks(content: Any) -> list[Block]:
    """Content as blocks: text is one. Raises BadRequest."""
    if isinstance(content, str):
        return [Block(type="text", text=content)]
    if isinstance(content, list) and all(isinstance(block, dict) for block in content):
        return [read_value(Block, block) for block in content]
    raise BadRequest("invalid message content: it must be a string or a list of blocks")


def text_of(content: Any) -> str:
    """The text of content, of whatever form; other blocks and other types have none."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if _is_text(block)]
    return "".join(text for text in texts if isinstance(text, str))


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text"


def _read_message(entry: InputMessage, names: dict[str, str]) -> list[Message]:
    """A message and the results in it, each a message of a tool. `names` are the calls' so far.

    What a user says comes after the results that it goes with.
    """
    message = Message(role=entry.role)
    texts: list[str] = []
    results: list[Message] = []
    for block in read_blocks(entry.content):
        match block.type:
            case "tool_use" | "server_tool_use":
                message.tool_calls.append(_call(block))
                names[block.id] = block.name
            case "tool_result":
                results.append(_result(block, names))
            case "web_search_tool_result":
                found = _found(block.content)
                results.append(Message(role="tool", content=found, tool_call_id=block.tool_use_id))
            case _:
                texts.append(_add(block, message))
    message.content = "".join(texts)
    said = [message] if _says_something(message) else []
    return [*results, *said] if message.role == "user" else [*said, *results]


def _says_something(message: Message) -> bool:
    return bool(message.content or message.images or message.tool_calls or message.thinking)


def _add(block: Block, message: Message) -> str:
    """The block's text; what else it has is put into the message. Blocks of other types are left
    out: there is nothing in them for this model.
    """
    match block.type:
        case "text":
            return block.text
        case "thinking":
            message.thinking = block.thinking
        case "image":
            message.images.append(_image(block.source, "image"))
        case "document":
            return _titled(shown_name(block.title), _document(block.source))
        case "tool_reference":
            return f"{block.tool_name}\n"
        case "search_result":
            return _titled(block.title, text_of(block.content))
    return ""


def _call(block: Block) -> ToolCall:
    if block.type == "tool_use":
        for name in ("id", "name"):
            if not getattr(block, name):
                raise BadRequest(f"tool_use block missing required '{name}' field")
    return ToolCall(id=block.id, function=FunctionCall(name=block.name, arguments=block.input))


def _result(block: Block, names: dict[str, str]) -> Message:
    """A failed call is told as one, since a message has no other place for that."""
    result = Message(
        role="tool", tool_call_id=block.tool_use_id, tool_name=names.get(block.tool_use_id, "")
    )
    texts: list[str] = []
    for part in read_blocks(block.content or ""):
        if part.type == "image":
            result.images.append(_image(part.source, "tool_result image"))
        else:
            texts.append(_add(part, result))
    result.content = "".join(texts)
    if block.is_error and not result.content.lower().startswith("error"):
        result.content = f"Error: {result.content}"
    return result


def _image(source: Any, what: str) -> MediaData:
    if not isinstance(source, dict):
        raise BadRequest(f"invalid {what} source")
    read = read_value(Source, source)
    if read.type != "base64":
        raise BadRequest(
            f"invalid {what} source type: {read.type}. Only base64 images are supported."
        )
    try:
        return MediaData.parse(read.data)
    except BadRequest as error:
        raise BadRequest(f"invalid base64 image data: {error}") from error


def _document(source: Any) -> str:
    read = read_value(Source, source) if isinstance(source, dict) else Source()
    match read.type:
        case "text":
            return read.data
        case "content":
            return text_of(read.content)
        case "base64":
            return read_text_file(read.data, "source", read.media_type)
    raise BadRequest(f"documents of type {quoted(read.type)} are not supported: send their text")


def _titled(title: str, text: str) -> str:
    return f"{title}\n{text}\n\n" if title else f"{text}\n\n"


def _found(content: Any) -> str:
    """What a search found, a line each."""
    if isinstance(content, dict):
        return f"web_search_tool_result_error: {content.get('error_code', '')}"
    pages = [page for page in content or () if isinstance(page, dict)]
    return "\n".join(f"- {page.get('title', '')}: {page.get('url', '')}" for page in pages)
