"""Glimmer: every message has a recipient, calls are ATEM blocks. Facts: prompting spec, 3.17."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from puna.api.requests import Message, ToolCall
from puna.gojson import Fields, Json
from puna.prompt.renderers.chat import Chat
from puna.prompt.renderers.text import plain, unescaped_json
from puna.prompt.renderers.tools import Tool

__all__ = ["render"]

SYSTEM = "You are a helpful AI assistant."
TOOLS = """\
In this environment you have access to a set of tools you can use to answer the user's question.

You can invoke a function by writing a "<atem:function_calls>" block like the following:
<atem:function_calls>
<atem:invoke name="$FUNCTION_NAME">
<atem:parameter name="$PARAMETER_NAME">$PARAMETER_VALUE</atem:parameter>
...
</atem:invoke>
</atem:function_calls>

String and scalar parameters should be specified as is, while lists and objects should use JSON \
format. Note that spaces for string values are not stripped. The output is not expected to be \
valid XML and is parsed with regular expressions.
Here are the functions available in JSONSchema format:
// Tool metadata
"""
EXAMPLE = """\


Here's an example of how to call a function in the tool set:
(If the tool namespace is not specified, invoke the function directly as `example_function_name` \
rather than `example_tool_name.example_function_name`)

to=example_tool_name.example_function_name

<atem:function_calls>
<atem:invoke name="example_tool_name.example_function_name">
<atem:parameter name="example_parameter_1">value_1</atem:parameter>
<atem:parameter name="example_parameter_2">This is the value for the second parameter
that can span
"multiple" lines
</atem:parameter>
</atem:invoke>
</atem:function_calls>"""
SPELLINGS = (
    ("reasoning effort", "reasoning strength"),
    ("Reasoning effort", "Reasoning strength"),
    ("Reasoning Effort", "Reasoning Strength"),
    ("REASONING EFFORT", "REASONING STRENGTH"),
)


def render(chat: Chat, now: Callable[[], datetime] = datetime.now) -> str:
    """The prompt of a chat; a system prompt that is not the client's tells the date."""
    prompt = "<|begin_of_text|>"
    if all(message.role != "system" for message in chat.messages):
        date = f"Knowledge cutoff: 2026-01-04.\nCurrent date: {now():%Y-%m-%d}."
        prompt += _system(chat, f"{SYSTEM}\n{date}", tells_level=True)
    for at, message in enumerate(chat.messages):
        match message.role:
            case "system":
                text = message.content
                for word, ours in SPELLINGS:
                    text = text.replace(word, ours)
                tells = "reasoning strength" not in text.lower()
                prompt += _system(chat, text, tells_level=tells)
            case "assistant":
                prompt += _answer(chat.messages, at)
            case "tool":
                name = _tool_name(chat.messages, message)
                body = f'<tool_output name="{name}">\n{message.content}\n</tool_output>'
                prompt += _message(f"tool {name}", body)
            case _:
                prompt += _message(message.role, message.content)
    return prompt + "<|start|>assistant"


def _message(header: str, body: str, end: str = "<|eot|>") -> str:
    return f"<|start|>{header}<|message|>{body}{end}"


def _system(chat: Chat, text: str, *, tells_level: bool) -> str:
    level = chat.think if isinstance(chat.think, str) else ""
    level = level or ("none" if chat.think is False else "high")
    text += f"\n\nReasoning strength: {level}." if tells_level else ""
    spaces = _namespaces(chat.tools)
    text += f"\n\n{_tools(chat.tools, spaces)}" if chat.tools else ""
    recipients = "".join(f', "{name}.*"' for name in spaces)
    return _message("system", f'{text}\n\n# Valid recipients: "self"{recipients}, "user".')


def _namespaces(tools: Sequence[Tool]) -> list[str]:
    return list(dict.fromkeys(tool.name.partition(".")[0] for tool in tools))


def _tools(tools: Sequence[Tool], spaces: Sequence[str]) -> str:
    lines = [unescaped_json(Fields({"name": name, "description": ""})) for name in spaces]
    return (
        "\n".join([TOOLS + "\n".join(lines), "// Function schemas", *map(_schema, tools)]) + EXAMPLE
    )


def _schema(tool: Tool) -> str:
    return unescaped_json(
        Fields(
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.json,
            }
        )
    )


def _tool_name(messages: Sequence[Message], message: Message) -> str:
    calls = (call for each in messages for call in each.tool_calls)
    named = (call.function.name for call in calls if call.id == message.tool_call_id)
    return message.tool_name or next(named, message.tool_call_id)


def _answer(messages: Sequence[Message], at: int) -> str:
    message = messages[at]
    text = _message("assistant to=self", message.thinking, "<|eom|>") if message.thinking else ""
    followed = at + 1 < len(messages) and messages[at + 1].role == message.role
    for place, call in enumerate(message.tool_calls, 1):
        is_last = place == len(message.tool_calls) and not followed
        body = _call(call)
        text += _message(f"assistant to={call.function.name}", body, _end(is_last=is_last))
    if message.tool_calls or (message.thinking and not message.content):
        return text
    return text + _message("assistant to=user", message.content)


def _end(*, is_last: bool) -> str:
    return "<|eot|>" if is_last else "<|eom|>"


def _call(call: ToolCall) -> str:
    arguments = "".join(
        f'<atem:parameter name="{name}">{_value(value)}</atem:parameter>\n'
        for name, value in call.function.arguments.items()
    )
    return (
        f'<atem:function_calls>\n<atem:invoke name="{call.function.name}">\n{arguments}'
        "</atem:invoke>\n</atem:function_calls>"
    )


def _value(value: Json) -> str:
    return unescaped_json(value) if isinstance(value, Mapping | list) else plain(value)
