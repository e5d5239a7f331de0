"""Which template renders a model's prompts.

The file's own Jinja chat template, or the bare prompt where there is none. This is the door for Go
templates and built-in renderers: a manifest's template would be chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from puna.api.requests import Message
from puna.errors import TemplateError
from puna.prompt.jinja import ChatTemplate
from puna.prompt.plain import render_plain
from puna.service.catalog import Entry

__all__ = ["PLAIN", "render_prompt", "shown_template"]

PLAIN = "{{ .Prompt }}"
"""The template of a model that has none: nothing but the prompt."""


def shown_template(entry: Entry) -> str:
    """The text of the template that `render_prompt` goes by."""
    return entry.chat_template or entry.model.template or PLAIN


def render_prompt(
    entry: Entry,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    think: bool | str | None,
    bos: str = "",
    eos: str = "",
) -> str:
    """The text of a prompt. It may take a while: call it in a thread.

    Raises TemplateError when the model's template cannot be used, or fails.
    """
    source = entry.chat_template
    if source is not None:
        template = ChatTemplate.compile(source)
        return template.render(messages, tools=tools, bos=bos, eos=eos, think=think)
    layer = entry.model.template
    if layer is not None and layer.strip() != PLAIN:
        raise TemplateError(
            f"model '{entry.name.short}' has a Go template and no chat template in its weights: "
            'Go templates cannot be rendered yet; send the whole prompt with "raw": true'
        )
    return render_plain(messages)
