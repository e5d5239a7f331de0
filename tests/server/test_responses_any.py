"""Whatever a request for a response holds is understood or refused, and can be stored."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from puna.api.decode import decode
from puna.api.openai_responses import ResponsesRequest
from puna.api.requests import FunctionCall, ToolCall
from puna.errors import BadRequest
from puna.server.openai.replies import encode
from puna.server.openai.responses.history import kept_of
from puna.server.openai.responses.items import read_input
from puna.server.openai.responses.order import check_request, read_request
from puna.server.openai.responses.shapes import make_response
from puna.server.openai.responses.tools import CALLS, RESULTS, read_tools

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PARTS = ["input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"]
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(PARTS)},
    optional=dict.fromkeys(("text", "refusal", "image_url", "file_data", "filename"), JSON),
)
KINDS = ["message", "reasoning", "web_search_call", "item_reference", *CALLS, *sorted(RESULTS)]
FIELDS = ("name", "namespace", "input", "call_id", "id", "arguments", "action", "operation")
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        **dict.fromkeys(FIELDS, JSON),
        "role": JSON | st.sampled_from(["user", "assistant", "developer"]),
        **dict.fromkeys(("content", "output", "summary"), JSON | st.lists(PART, max_size=2)),
        "encrypted_content": JSON,
    },
)
TOOL = st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "custom", "local_shell", "namespace", "web_search"])},
    optional={
        "name": JSON | st.sampled_from(["a", "b"]),
        **dict.fromkeys(("description", "parameters", "format"), JSON),
        "tools": st.lists(JSON, max_size=2),
    },
)
REQUEST = st.fixed_dictionaries(
    {"input": JSON | st.lists(ITEM, max_size=4)},
    optional={
        "instructions": JSON | st.lists(ITEM, max_size=2),
        "tools": st.lists(TOOL, max_size=3),
        "tool_choice": JSON | TOOL,
        "metadata": JSON,
        "text": JSON | st.fixed_dictionaries({"format": JSON | TOOL}),
        "reasoning": JSON,
        "include": JSON,
    },
)


@settings(deadline=None)
@given(REQUEST)
def test_any_request(body: dict[str, Any]) -> None:
    with suppress(BadRequest):
        order = decode(ResponsesRequest, json.dumps(body).encode())
        check_request(order)
        items = read_input(order.input)
        read_request(order, [], items)
        kept = kept_of(make_response(order, 0, is_stored=True), items)
        again = [json.loads(each) for _, each in kept.inputs]
        assert [each["type"] for each in again] == [each["type"] for each in items]
        assert all(each["id"] for each in again)
        read_request(order, again, [])


@settings(deadline=None)
@given(st.lists(TOOL, max_size=3), st.dictionaries(st.text(max_size=9), JSON, max_size=3))
def test_any_call(tools: list[dict[str, Any]], arguments: dict[str, Any]) -> None:
    with suppress(BadRequest):
        box = read_tools(tools)
        for name in [*box.declared, "nobody's"]:
            function = FunctionCall(name=name, arguments=arguments)
            assert encode(box.item(ToolCall(id="c", function=function)))
