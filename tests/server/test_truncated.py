"""What was dropped of a conversation for room is told on every API, and nothing is told else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from puna.api.events import Content, Done
from tests.server.scripted import client, run, said

HI = [{"role": "user", "content": "hi"}]
DONE = Done("stop", prompt_tokens=7, eval_tokens=3)


def of_the_last_choice(told: dict[str, Any]) -> Any:
    return told["choices"][0]


WHERE: dict[str, tuple[dict[str, Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "/api/chat": ({"messages": HI}, lambda told: told, lambda told: told[-1]),
    "/api/generate": ({"prompt": "hi"}, lambda told: told, lambda told: told[-1]),
    "/v1/chat/completions": (
        {"messages": HI},
        of_the_last_choice,
        lambda told: of_the_last_choice(told[-1]),
    ),
    "/v1/completions": (
        {"prompt": "hi"},
        of_the_last_choice,
        lambda told: of_the_last_choice(told[-1]),
    ),
    "/v1/responses": ({"input": "hi"}, lambda told: told, lambda told: told[-1]["response"]),
    "/v1/messages": (
        {"messages": HI, "max_tokens": 9},
        lambda told: told,
        lambda told: told[-2]["delta"],
    ),
}
"""By route: a request, and where in a whole answer and in the objects of a stream it stands."""


@pytest.mark.parametrize("is_cut", [True, False], ids=["dropped", "whole"])
@pytest.mark.parametrize("path", WHERE)
def test_it_is_told_at_the_end(path: str, *, is_cut: bool) -> None:
    body, of_whole, of_stream = WHERE[path]
    script = said(Content("a"), dataclasses.replace(DONE, truncated=is_cut))
    whole, stream = (
        run(
            client(chat=script, generate=script).request(
                "POST", path, {"model": "m", "stream": is_streamed} | body
            )
        )
        for is_streamed in (False, True)
    )
    lines = [line.removeprefix("data: ") for line in stream.body.decode().splitlines()]
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    for last in (of_whole(whole.json), of_stream(objects)):
        assert last.get("truncated", False) is is_cut
    assert stream.body.count(b'"truncated":true') == is_cut
