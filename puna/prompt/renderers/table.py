"""The names that manifests give renderers. Facts: prompting spec, 3.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from puna.api.requests import Message
from puna.errors import TemplateError, quoted
from puna.prompt.renderers import (
    cogito,
    cohere,
    deepseek31,
    functiongemma,
    gemma4,
    glimmer,
    glm,
    laguna,
    lfm2,
    nemotron,
    olmo3,
    qwen3_coder,
    qwen3_vl,
    qwen35,
)
from puna.prompt.renderers.chat import Chat, Renderer
from puna.prompt.renderers.tools import parse_tool

__all__ = ["RENDERERS", "render", "resolve"]

RENDERERS: Mapping[str, Renderer] = MappingProxyType(
    {
        "qwen3-coder": qwen3_coder.render,
        "qwen3-vl-instruct": qwen3_vl.render_instruct,
        "qwen3-vl-thinking": qwen3_vl.render_thinking,
        "qwen3.5": qwen35.render_qwen35,
        "ornith": qwen35.render_ornith,
        "qwen3.8": qwen35.render_qwen38,
        "cogito": cogito.render,
        "deepseek3": deepseek31.render,  # what imports of safetensors call it (spec, 8)
        "deepseek3.1": deepseek31.render,
        "functiongemma": functiongemma.render,
        "gemma4-small": gemma4.render_small,
        "gemma4-large": gemma4.render_large,
        "glm-4.7": glm.render_glm47,
        "glm-ocr": glm.render_ocr,
        "lfm2": lfm2.render,
        "lfm2-thinking": lfm2.render_thinking,
        "laguna": laguna.render_laguna,
        "poolside-v1": laguna.render_poolside,
        "cohere": cohere.render,
        "glimmer": glimmer.render,
        "nemotron-3-nano": nemotron.render_nano,
        "nemotron-3.5-nano": nemotron.render_nano35,
        "olmo3": olmo3.render_olmo3,
        "olmo3.1": olmo3.render_olmo31,
        "olmo3-think": olmo3.render_think,
        "olmo3-32b-think": olmo3.render_think32,
    }
)


def resolve(name: str, model: str, parameters: int) -> str:
    """The name of the renderer for a model: `gemma4` stands for two, by the model's size."""
    if name != "gemma4":
        return name
    return "gemma4-large" if gemma4.is_large(model, parameters) else "gemma4-small"


def render(
    name: str,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    think: bool | str | None = None,
) -> str:
    """The prompt that the renderer of that name makes. Raises TemplateError only."""
    family = RENDERERS.get(name)
    if family is None:
        raise TemplateError(f"unknown renderer {quoted(name)}")
    try:
        return family(Chat(messages, [parse_tool(tool) for tool in tools], think))
    except (ValueError, RecursionError) as cause:
        raise TemplateError(f"renderer {quoted(name)}: {cause or 'nested too deeply'}") from cause
