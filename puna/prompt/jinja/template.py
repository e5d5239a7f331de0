"""A compiled chat template, and the variables it is rendered with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from types import CodeType

from jinja2 import Template, TemplateSyntaxError

from puna.api.requests import Message, ToolCall
from puna.errors import TemplateError
from puna.prompt.jinja.guards import guard
from puna.prompt.jinja.meter import LIMITS, Limits, Meter
from puna.prompt.jinja.sandbox import GLOBALS, Sandbox

__all__ = ["ChatTemplate"]

SOURCE_CHARS = 128 << 10  # compiling that much takes about two seconds; real ones have 20,000
CACHED = 32
FILE = "<chat template>"
SAID = 500  # of a template's own error text, so much is passed on

_PROBE = "a text to be found again"

_SANDBOX = Sandbox()  # for compiling; a rendering works on a copy


class ChatTemplate:
    """A chat template, ready to render. Make one with `compile`."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    @staticmethod
    def compile(source: str) -> ChatTemplate:
        """Compile a template; the same source is compiled once. Raises TemplateError."""
        made = _compile(source)
        if isinstance(made, str):
            raise TemplateError(made)
        return made

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, object]] = (),
        bos: str = "",
        eos: str = "",
        think: bool | str | None = None,
        add_generation_prompt: bool = True,
        limits: Limits = LIMITS,
        now: Callable[[], datetime] = datetime.now,
    ) -> str:
        """The prompt for a chat (prompting spec, 0: native mode). Raises TemplateError only.

        `think`: None leaves the choice to the template, a text is a level of effort. It blocks for
        as long as the template takes, at most `limits`: call it in a thread.
        """
        plain = [_plain_message(message) for message in messages]
        variables: dict[str, object] = {
            **GLOBALS,
            "messages": plain,
            "tools": list(tools) or None,
            "bos_token": bos,
            "eos_token": eos,
            "add_generation_prompt": add_generation_prompt,
        }
        if think is not None:
            variables["enable_thinking"] = think is not False
        if isinstance(think, str):
            variables["reasoning_effort"] = think
        made = self._run(variables, limits, now)
        if messages and messages[-1].content.strip() not in made and self._wants_parts:
            variables["messages"] = [
                {**each, "content": _as_part(each["content"])} for each in plain
            ]
            made = self._run(variables, limits, now)
        return made

    def _run(
        self,
        variables: dict[str, object],
        limits: Limits,
        now: Callable[[], datetime] = datetime.now,
    ) -> str:
        sandbox = copy.copy(_SANDBOX)
        sandbox.meter, sandbox.now = Meter(limits), now
        return _run(Template.from_code(sandbox, self._code, variables), limits)

    @cached_property
    def _wants_parts(self) -> bool:
        """Whether messages are read as lists of parts alone, as by some models that see: then it
        writes a text that is a part, and not one that is a text.
        """
        return not self._writes(_PROBE) and self._writes(_as_part(_PROBE))

    def _writes(self, content: object) -> bool:
        variables: dict[str, object] = {
            **GLOBALS,
            "messages": [{"role": "user", "content": content}],
            "tools": None,
            "bos_token": "",
            "eos_token": "",
            "add_generation_prompt": True,
        }
        try:
            return _PROBE in self._run(variables, LIMITS)
        except TemplateError:
            return False


@lru_cache(maxsize=CACHED)
def _compile(source: str) -> ChatTemplate | str:
    """The template, or what is wrong with it: finding that out again would cost as much."""
    if len(source) > SOURCE_CHARS:
        return f"chat template: more than {SOURCE_CHARS} characters"
    try:
        tree = _SANDBOX.parse(source, filename=FILE)
        guard(tree)
        tree.set_environment(_SANDBOX)
        return ChatTemplate(_SANDBOX.compile(tree, filename=FILE))
    except TemplateSyntaxError as cause:
        return f"chat template: line {cause.lineno}: {_said(cause.message or cause)}"
    except TemplateError as cause:
        return f"chat template: {cause}"
    except Exception as cause:  # noqa: BLE001 - any error in compiling a stranger's text is its own
        return f"chat template: {type(cause).__name__}: {_said(cause)}"


def _run(template: Template, limits: Limits) -> str:
    pieces: list[str] = []
    size = 0
    try:
        for piece in template.root_render_func(template.new_context()):
            pieces.append(piece)
            size += len(piece)
            if size > limits.output_chars:
                raise TemplateError(f"the prompt has more than {limits.output_chars} characters")
        return "".join(pieces)
    except TemplateError as cause:
        problem = _at(template, cause) + _said(cause)
    except RecursionError as cause:
        problem = _at(template, cause) + "it calls itself too deep"
    except Exception as cause:  # noqa: BLE001 - a stranger's program may raise anything
        problem = f"{_at(template, cause)}{_said(cause) or type(cause).__name__}"
    # without the cause, whose frames would keep all of the template's values
    raise TemplateError(f"chat template: {problem}")


def _said(cause: object) -> str:
    return str(cause)[:SAID]


def _at(template: Template, cause: BaseException) -> str:
    """The line of the template where it went wrong, as a prefix."""
    line, step = 0, cause.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == FILE:
            line = template.get_corresponding_lineno(step.tb_lineno)
        step = step.tb_next
    return f"line {line}: " if line else ""


def _plain_message(message: Message) -> dict[str, object]:
    """A message as templates see it. Thinking is not forwarded (prompting spec, 0)."""
    plain: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        plain["tool_calls"] = [_plain_call(call) for call in message.tool_calls]
    if message.tool_name:
        plain["name"] = message.tool_name
    if message.tool_call_id:
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _as_part(content: object) -> list[dict[str, object]]:
    """A message's text as the list of parts that some templates read. Images are tags in it."""
    return [{"type": "text", "text": content}]


def _plain_call(call: ToolCall) -> dict[str, object]:
    """A call with its arguments as an object.

    The reference hands its engine a JSON string, which the engine parses again for templates that
    print them with `tojson`, as nearly all do.
    """
    function = {"name": call.function.name, "arguments": call.function.arguments}
    plain: dict[str, object] = {"type": "function", "function": function}
    if call.id:
        plain["id"] = call.id
    return plain
