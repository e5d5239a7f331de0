"""Go templates of manifests on a real model: what it reads, and that it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server
from tests.e2e.test_answers import ask, chat, rendered
from tests.prompt.layer.templates import CHATML, FILL_IN, INST_WITH_RESPONSE, LLAMA, MISTRAL

pytestmark = pytest.mark.e2e

SYSTEM, USER, ANSWER = ("system", "S"), ("user", "the dog"), ("assistant", "A")
SHORT = {"temperature": 0, "num_predict": 4}
PROMPTS = {
    "chatml": (
        CHATML,
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nthe dog<|im_end|>\n"
        "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nthe dog<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ),
    "llama": (
        LLAMA,
        "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nthe dog<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nthe dog<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "mistral": (MISTRAL, "[INST] the dog[/INST] A</s>[INST] S\n\nthe dog[/INST]"),
    "inst": (
        INST_WITH_RESPONSE,
        "[INST] <<SYS>>S<</SYS>> the dog [/INST] A[INST] the dog [/INST] ",
    ),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_model_reads_what_its_template_makes(server: Server, tiny_gguf: Path, name: str) -> None:
    template, prompt = PROMPTS[name]
    server.create(f"layer-{name}", tiny_gguf, template=template, parameters={"num_ctx": 512})
    think: dict[str, Any] = {"think": False}
    talk = (SYSTEM, USER, ANSWER, USER)
    assert rendered(server, f"layer-{name}", *talk, **think) == prompt
    answer = chat(server, f"layer-{name}", *talk, options=SHORT, **think)
    raw = ask(server, f"layer-{name}", prompt=prompt, raw=True, options=SHORT)
    assert answer["message"]["content"] == raw["response"]
    assert answer["prompt_eval_count"] == raw["prompt_eval_count"]
    assert answer["done_reason"] == "length"


def test_insertion_and_a_template_in_the_request(server: Server, tiny_gguf: Path) -> None:
    server.create("layer-fill", tiny_gguf, template=FILL_IN, parameters={"num_ctx": 512})
    value = ask(server, "layer-fill", prompt="a", suffix="b", _debug_render_only=True)
    assert value["_debug_info"]["rendered_template"] == "<PRE> a <SUF>b <MID>"
    assert ask(server, "layer-fill", prompt="a", suffix="b")["done_reason"] == "length"
    value = ask(server, "layer-fill", template="<{{ .Prompt }}>", _debug_render_only=True)
    assert value["_debug_info"]["rendered_template"] == "<the dog>"
    shown = server.request("POST", "/api/show", {"model": "layer-fill"}).json
    assert shown["capabilities"] == ["completion", "insert"]


def test_a_call_in_the_style_of_mistral(server: Server, tiny_gguf: Path) -> None:
    server.create("layer-caller", tiny_gguf, template=MISTRAL, parameters={"num_ctx": 512})
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    said = r'\[TOOL_CALLS\] \[\{"name": "add", "arguments": \{"a": [0-9]\}\}\]'
    answer = chat(server, "layer-caller", USER, tools=[tool], regex=said)
    message = answer["message"]
    assert message["content"] == ""
    [call] = message["tool_calls"]
    assert call["function"]["name"] == "add"
    assert call["function"]["arguments"]["a"] in range(10)


def test_bad_templates(server: Server) -> None:
    body = {"model": "bad", "from": "tiny", "template": "{{ .Prompt", "stream": False}
    answer = server.request("POST", "/api/create", body)
    assert (answer.status, answer.error) == (400, "template error: template: :1: unclosed action")
    body = {"model": "tiny", "prompt": "x", "template": "{{ .Prompt", "stream": False}
    answer = server.request("POST", "/api/generate", body)
    assert (answer.status, answer.error) == (400, "template: :1: unclosed action")
    body["template"] = "{{ range 1000000000 }}{{ end }}"
    answer = server.request("POST", "/api/generate", body)
    assert answer.status == 400
    assert "takes more than" in answer.error
