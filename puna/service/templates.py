"""What makes a model's prompts.

The Jinja template of its weights, the built-in renderer or the Go template of its manifest, as the
catalog chose, or the bare prompt where there is none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from puna.api.requests import Message
from puna.prompt.jinja import ChatTemplate
from puna.prompt.layer import PLAIN, LayerTemplate
from puna.prompt.media import tag_media
from puna.prompt.renderers import render, resolve
from puna.service.catalog import Entry

__all__ = ["layer_for", "render_prompt", "render_suffix", "shown_template"]


def shown_template(entry: Entry) -> str:
    """The text of the template that `render_prompt` goes by."""
    return entry.chat_template or entry.model.template or PLAIN


def layer_for(entry: Entry, template: str = "") -> LayerTemplate | None:
    """The Go template for a request, which may bring one; None where the weights' Jinja template
    or a renderer is used. Raises TemplateError when it does not parse.
    """
    if template:
        return LayerTemplate.parse(template)
    if entry.chat_template is not None or entry.renderer:
        return None
    return entry.layer or LayerTemplate.parse(entry.model.template or PLAIN)


def render_prompt(
    entry: Entry,
    messages: Sequence[Message],
    *,
    template: str = "",
    tools: Sequence[Mapping[str, Any]] = (),
    think: bool | str | None,
    bos: str = "",
    eos: str = "",
) -> str:
    """The text of a prompt, with tags where images and recordings are. It may take a while: call it
    in a thread.

    `template` is the request's own. Raises TemplateError when the template cannot be used, or
    fails, and for a renderer that nobody knows.
    """
    layer = layer_for(entry, template)
    messages = tag_media(messages, for_renderer=layer is None and bool(entry.renderer))
    if layer is not None:
        return layer.render_chat(messages, tools=tools, think=think)
    if entry.renderer:
        size = entry.description.parameter_count if entry.description else 0
        name = resolve(entry.renderer, f"{entry.name.model}:{entry.name.tag}", size)
        return render(name, messages, tools=tools, think=think)
    compiled = ChatTemplate.compile(entry.chat_template or "")
    make = partial(compiled.render, messages, tools=tools, bos=bos, eos=eos, think=think)
    return _left_open(messages, make) or make()


def _left_open(messages: Sequence[Message], make: Callable[..., str]) -> str:
    """The prompt up to the last words of the assistant, if they come last: the model goes on with
    them. Empty where they do not, or where the template writes them otherwise.
    """
    match messages:
        case [*_, Message(role="assistant", content=content, tool_calls=[])] if content.strip():
            said = content.strip()
            before, found, _ = make(add_generation_prompt=False).rpartition(said)
            return before + found
    return ""


def render_suffix(
    entry: Entry, prompt: str, suffix: str, *, template: str = "", think: bool | str | None
) -> str:
    """The text of a prompt for what belongs between `prompt` and `suffix`.

    That is a Go template's work, also for models whose chats are rendered by another. Raises
    TemplateError. It may take a while: call it in a thread.
    """
    layer = LayerTemplate.parse(template or entry.model.template or PLAIN)
    return layer.render_suffix(prompt, suffix, think=think)
