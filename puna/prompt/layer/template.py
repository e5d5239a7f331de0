"""A template layer: a parsed Go template, and the prompts it makes of messages.

Facts: prompting spec, 1.3 and 1.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from msgspec.structs import replace

from puna.api.requests import Message
from puna.errors import TemplateError
from puna.prompt.gotemplate import LIMITS, GoTemplateError, Limits, Template
from puna.prompt.gotemplate.nodes import (
    Action,
    Command,
    Field,
    If,
    Nodes,
    Pipeline,
    Range,
    TemplateCall,
    With,
)
from puna.prompt.layer.functions import make_functions
from puna.prompt.layer.reading import (
    cut_after_response,
    find_thinking_tags,
    find_tool_tag,
    find_variables,
)
from puna.prompt.layer.values import make_message, make_tools

__all__ = ["PLAIN", "LayerTemplate"]

PLAIN = "{{ .Prompt }}"
"""The template of a model that has none: nothing but the prompt."""

CACHED = 64
_RESPONSE = Action(0, Pipeline(0, (), False, (Command(0, (Field(0, ("Response",)),)),)))
Think = bool | str | None


class LayerTemplate:
    """The template of a manifest, or of a request. Make one with `parse`."""

    def __init__(self, source: str) -> None:
        template = Template.parse(source, functions=make_functions())
        _check_calls(template)
        self.source = source
        self.variables = find_variables(template.trees)
        """The names of fields and variables in it, in lower case."""
        if not self.variables & {"messages", "response"}:
            template = template.with_main((*template.main.nodes, _RESPONSE))
            self.variables |= {"response"}
        self._template = template

    @staticmethod
    def parse(source: str) -> LayerTemplate:
        """Parse a template; the same text is parsed once. Raises TemplateError."""
        made = _parse(source)
        if isinstance(made, str):
            raise TemplateError(made)
        return made

    @cached_property
    def thinking_tags(self) -> tuple[str, str] | None:
        """The tags around thoughts, None without."""
        return find_thinking_tags(self._template.trees)

    @cached_property
    def tool_tag(self) -> str:
        """What tool calls begin with."""
        return find_tool_tag(self._template.trees)

    @cached_property
    def _cut(self) -> Template:
        return self._template.with_main(cut_after_response(self._template.main.nodes))

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        think: Think = None,
        limits: Limits = LIMITS,
    ) -> str:
        """The prompt for a chat. Raises TemplateError. It may take a while: call it in a thread."""
        collated, system = collate(messages)
        always = _think_values(think)
        if "messages" not in self.variables:
            return self._render_turns(collated, always, limits)
        values = {
            "System": system,
            "Messages": [make_message(message) for message in collated],
            "Tools": make_tools(tools),
            "Response": "",
        }
        return _run(self._template, values | always, limits)

    def render_suffix(self, prompt: str, suffix: str, *, think: Think = None) -> str:
        """The prompt for what belongs between two texts. Raises TemplateError."""
        values: dict[str, object] = {"Prompt": prompt, "Suffix": suffix, "Response": ""}
        return _run(self._template, values | _think_values(think))

    def _render_turns(
        self, messages: Sequence[Message], always: dict[str, object], limits: Limits
    ) -> str:
        """Templates without `.Messages` are run for every turn, cut at the last one's answer."""
        printed: list[str] = []
        turn = _Turn()
        for message in messages:
            if turn.ends_before(message.role):
                printed.append(_run(self._template, turn.values | always, limits))
                turn = _Turn()
            turn.add(message)
        return "".join((*printed, _run(self._cut, turn.values | always, limits)))


class _Turn:
    """A system prompt, a question and its answer."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {"System": "", "Prompt": "", "Response": ""}

    def ends_before(self, role: str) -> bool:
        answered = bool(self.values["Response"])
        return role in {"system", "user"} and (
            answered or (role == "system" and bool(self.values["Prompt"]))
        )

    def add(self, message: Message) -> None:
        place = {"system": "System", "user": "Prompt", "assistant": "Response"}.get(message.role)
        if place is not None:
            self.values[place] = message.content


def collate(messages: Sequence[Message]) -> tuple[list[Message], str]:
    """The messages with neighbours of one role in one, and all system texts joined.

    Of neighbours the first keeps what it has besides its text. Each tool result stays its own.
    """
    joined: list[Message] = []
    texts: list[list[str]] = []
    for message in messages:
        if joined and joined[-1].role == message.role != "tool":
            texts[-1].append(message.content)
        else:
            joined.append(message)
            texts.append([message.content])
    collated = [
        message if len(parts) == 1 else replace(message, content="\n\n".join(parts))
        for message, parts in zip(joined, texts, strict=True)
    ]
    system = [message.content for message in messages if message.role == "system"]
    return collated, "\n\n".join(system)


def _think_values(think: Think) -> dict[str, object]:
    level = think if isinstance(think, str) else "medium" if think else ""
    return {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": think is not None}


def _run(template: Template, values: dict[str, object], limits: Limits = LIMITS) -> str:
    try:
        return template.execute(values, limits=limits)
    except GoTemplateError as problem:
        text = str(problem)
    # without the cause, whose frames would keep all of the template's values
    raise TemplateError(text)


def _check_calls(template: Template) -> None:
    for tree in template.trees.values():
        if _calls_without_data(tree.nodes):
            raise GoTemplateError("undefined template specified")


def _calls_without_data(nodes: Nodes) -> bool:
    return any(
        (isinstance(node, TemplateCall) and node.pipeline is None)
        or (
            isinstance(node, If | With | Range)
            and (_calls_without_data(node.body) or _calls_without_data(node.otherwise or ()))
        )
        for node in nodes
    )


@lru_cache(maxsize=CACHED)
def _parse(source: str) -> LayerTemplate | str:
    """The template, or what is wrong with it."""
    try:
        return LayerTemplate(source)
    except GoTemplateError as problem:
        return str(problem)
