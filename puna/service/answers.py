"""How a request's answer is read: thoughts, content and tool calls.

By the parser that the manifest names, else by what the template of its prompts shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from puna.api.requests import ChatRequest, GenerateRequest
from puna.prompt.answer import AnswerParser
from puna.prompt.layer import LayerTemplate
from puna.prompt.outline import AnswerForm
from puna.prompt.parsers import Family, Scanner, Turn, by_marks, by_name
from puna.prompt.parsers.family import Lead
from puna.prompt.parsers.harmony import HARMONY
from puna.prompt.parsers.qwen import HERMES
from puna.prompt.tagcalls import TagCallSplitter, call_form
from puna.prompt.thinking import ThinkingSplitter, starts_inside, tags_of
from puna.service.catalog import Entry
from puna.service.templates import layer_for

__all__ = ["known_level", "make_parser", "names_in_prompts"]

_HARMONY_FAMILIES = frozenset({"gptoss", "gpt-oss"})

Order = ChatRequest | GenerateRequest
Declared = Sequence[Mapping[str, Any]]


def make_parser(entry: Entry, order: Order, think: bool | str | None, prompt: str) -> AnswerParser:
    """What tells thoughts and calls from content; raw output stays as it is."""
    if isinstance(order, GenerateRequest) and order.raw:
        return AnswerParser()
    tools = order.tools if isinstance(order, ChatRequest) else ()
    pieces = isinstance(order, ChatRequest) and order.call_pieces
    layer = layer_for(entry, order.template if isinstance(order, GenerateRequest) else "")
    family = by_name(entry.model.config.parser) or _detected(entry, layer)
    if family is not None:
        turn = Turn(bool(think), bool(tools), _last(order))
        scanner = Scanner(family, turn, tools, call_pieces=pieces)
        return AnswerParser(None, scanner, AnswerForm.of(family, turn))
    marks = by_marks(entry.chat_template or "") if layer is None else None
    if marks is not None and (tools or marks.is_framed):
        opens = starts_inside(prompt, marks.family.opening) if marks.family.opening else False
        turn = Turn(bool(think), bool(tools), _last(order), opens)
        scanner = Scanner(marks.family, turn, tools, lenient=True, call_pieces=pieces)
        return AnswerParser(None, scanner, AnswerForm.of(marks.family, turn))
    return _by_tags(entry, layer, tools, think, prompt, pieces)


def names_in_prompts(entry: Entry, tools: Declared) -> dict[str, str]:
    """What the model's family calls tools, by the request's names; empty where it is the same."""
    family = _family(entry)
    return family.names(_names(tools)) if family and family.names else {}


def known_level(entry: Entry, think: bool | str | None) -> bool | str | None:
    """How hard to think, in the model's own words: gpt-oss knows none above `high`."""
    return "high" if think == "max" and _family(entry) is HARMONY else think


def _family(entry: Entry) -> Family | None:
    """The family that reads the answers of the model's own template."""
    layer = layer_for(entry)
    family = by_name(entry.model.config.parser) or _detected(entry, layer)
    if family is None and layer is None and (marks := by_marks(entry.chat_template or "")):
        family = marks.family
    return family


def _detected(entry: Entry, layer: LayerTemplate | None) -> Family | None:
    """The family of a model whose manifest names none but whose Go template shows it."""
    if entry.family not in _HARMONY_FAMILIES or layer is None:
        return None
    return HARMONY if "<|start|>" in layer.source and "<|end|>" in layer.source else None


def _last(order: Order) -> str:
    """The role of the last message, `prefill` or `thoughts` of one that the answer goes on with."""
    if isinstance(order, GenerateRequest) or not order.messages:
        return ""
    message = order.messages[-1]
    if message.role != "assistant":
        return message.role
    return "prefill" if message.content else "thoughts" if message.thinking else message.role


def _by_tags(
    entry: Entry,
    layer: LayerTemplate | None,
    tools: Declared,
    think: bool | str | None,
    prompt: str,
    pieces: bool,
) -> AnswerParser:
    """Where nothing is known but the tags that a template shows."""
    tags = tags_of(entry.chat_template or "") if layer is None else layer.thinking_tags
    thinking = lead = None
    if tags is not None and think:
        opening, closing = tags
        is_inside = starts_inside(prompt, opening)
        thinking = ThinkingSplitter(opening, closing, is_inside)
        lead = Lead("" if is_inside else opening, closing, is_optional=not is_inside)
    if not tools:
        return AnswerParser(thinking, form=AnswerForm(lead))
    if layer is None:
        calls = Scanner(HERMES, Turn(has_tools=True), tools, call_pieces=pieces)
        return AnswerParser(thinking, calls, AnswerForm(lead, calls=HERMES.calls))
    form = AnswerForm(lead, calls=call_form(layer.tool_tag, layer.source))
    return AnswerParser(thinking, TagCallSplitter(layer.tool_tag, _names(tools)), form)


def _names(tools: Declared) -> list[str]:
    functions = [tool.get("function") for tool in tools]
    names = [function.get("name") for function in functions if isinstance(function, dict)]
    return [name for name in names if isinstance(name, str)]
