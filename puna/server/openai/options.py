"""What to generate and how: the fields that both kinds of completions share, as native options.

Facts: compatibility spec, 1.6, 1.7 and 9.1.
"""

from __future__ import annotations

from typing import Any

from puna.api.fields import Think
from puna.api.openai import ChatCompletionRequest, CompletionRequest
from puna.api.openai_responses import ResponsesRequest
from puna.api.options import KINDS
from puna.errors import InvalidField, quoted

__all__ = ["MAX_CHOICES", "check_choices", "level_of", "options_of", "seeded", "think_of"]

MAX_CHOICES = 128

_LEVELS: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
}


def check_choices(count: int) -> None:
    """Raises InvalidField for none, and for more than anybody should ask for at once."""
    if not 1 <= count <= MAX_CHOICES:
        raise InvalidField(f"'n' must be between 1 and {MAX_CHOICES} choices in all", "n")


def options_of(
    order: ChatCompletionRequest | CompletionRequest | ResponsesRequest,
    stop: list[str],
    max_tokens: int | None,
) -> dict[str, Any]:
    """The native options. The API's own fields win over native ones, those over `options`."""
    named = {name: getattr(order, name, None) for name in KINDS if name != "stop"}
    named["repeat_penalty"] = order.repeat_penalty or order.repetition_penalty
    if max_tokens is not None:
        named["num_predict"] = max_tokens
    given = {name: value for name, value in named.items() if value is not None}
    if stop:
        given["stop"] = stop
    return {"temperature": 1.0, "top_p": 1.0} | order.options | given


def seeded(options: dict[str, Any], number: int) -> dict[str, Any]:
    """The options of a further choice: with one seed for all, all would say the same."""
    seed = options.get("seed")
    if number and isinstance(seed, int) and seed >= 0:
        return options | {"seed": (seed + number) % 2**32}
    return options


def think_of(order: ChatCompletionRequest) -> Think | None:
    """Whether to think; None leaves it to the model. Raises InvalidField."""
    if order.reasoning is not None:
        return level_of(order.reasoning.effort, "reasoning.effort")
    if order.reasoning_effort:
        return level_of(order.reasoning_effort, "reasoning_effort")
    wanted = order.chat_template_kwargs.get("enable_thinking")
    if order.think is None and isinstance(wanted, bool):
        return Think(wanted)
    return order.think


def level_of(effort: str, param: str) -> Think | None:
    """How hard to think; None for a model's own choice. Raises InvalidField."""
    if not effort:
        return None
    if effort not in _LEVELS:
        raise InvalidField(
            f'invalid reasoning value: {quoted(effort)} (must be "minimal", "low", "medium", '
            '"high", "xhigh", "ultra", "max", or "none")',
            param,
        )
    return Think(_LEVELS[effort])
