"""The examples and the finer rules of the prompting spec, 3."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from puna.api.fields import MediaData
from puna.api.requests import Message
from puna.errors import TemplateError
from puna.prompt.renderers import RENDERERS, render, resolve
from tests.prompt.renderers.chats import ANSWER, ASK, MORE, SYSTEM, TOOL, WET, calling

Case = tuple[str, Sequence[Message], bool | str | None, str]


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str, thinking: str = "") -> Message:
    return Message(role="assistant", content=text, thinking=thinking)


def system(text: str) -> Message:
    return Message(role="system", content=text)


RESULT_TEXT = "<tool_response>\nwet\n</tool_response>"

PROMPTS: dict[str, Case] = {
    "qwen3-coder": (
        "qwen3-coder",
        [user("Rain in Oslo?")],
        None,
        "<|im_start|>user\nRain in Oslo?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwen3-coder, the first system message that says something": (
        "qwen3-coder",
        [system(""), system("A"), ASK, system("B")],
        None,
        "<|im_start|>system\nA<|im_end|>\n<|im_start|>user\nRain?<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "qwen3-coder, calls at the end are closed": (
        "qwen3-coder",
        [ASK, calling(n=1_000_000, f=2.5, whole=3.0, yes=True, no=None, o={"b": "<", "a": [1]})],
        None,
        "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n\n<tool_call>\n<function=rain>\n"
        "<parameter=n>\n1000000\n</parameter>\n<parameter=f>\n2.5\n</parameter>\n"
        "<parameter=whole>\n3\n</parameter>\n<parameter=yes>\ntrue\n</parameter>\n"
        '<parameter=no>\nnull\n</parameter>\n<parameter=o>\n{"a":[1],"b":"\\u003c"}\n</parameter>\n'
        "</function>\n</tool_call><|im_end|>\n",
    ),
    "qwen3-vl, thoughts after the last question alone": (
        "qwen3-vl-thinking",
        [ASK, ANSWER, MORE, assistant("\nA.", "\nT.\n"), user(RESULT_TEXT)],
        None,
        "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\nWet.<|im_end|>\n"
        "<|im_start|>user\nThanks<|im_end|>\n"
        "<|im_start|>assistant\n<think>\nT.\n</think>\n\nA.<|im_end|>\n"
        f"<|im_start|>user\n{RESULT_TEXT}<|im_end|>\n<|im_start|>assistant\n<think>\n",
    ),
    "qwen3.5, no thinking": (
        "qwen3.5",
        [user(" Hi\n")],
        False,
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ),
    "qwen3.5, a thought in the text": (
        "qwen3.5",
        [ASK, assistant("<think>\nT\n</think>\n\nA"), MORE],
        True,
        "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
        "<|im_start|>user\nThanks<|im_end|>\n<|im_start|>assistant\n<think>\n",
    ),
    "ornith, an empty thought": (
        "ornith",
        [ASK, assistant("A"), MORE],
        False,
        "<|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nA<|im_end|>\n"
        "<|im_start|>user\nThanks<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ),
    "qwen3.8, system messages are one": (
        "qwen3.8",
        [ASK, system(" A "), Message(role="developer", content="B")],
        True,
        "<|im_start|>system\nA\n\nB<|im_end|>\n<|im_start|>user\nRain?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n",
    ),
    "deepseek3.1": (
        "deepseek3.1",
        [SYSTEM, user("Hi")],
        None,
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi<｜Assistant｜></think>",
    ),
    "deepseek3.1, nothing after a result": (
        "deepseek3",
        [ASK, calling(city="Oslo"), WET],
        True,
        "<｜begin▁of▁sentence｜><｜User｜>Rain?<｜Assistant｜></think><｜tool▁calls▁begin｜>"
        '<｜tool▁call▁begin｜>rain<｜tool▁sep｜>{"city":"Oslo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
        "<｜end▁of▁sentence｜><｜tool▁output▁begin｜>wet<｜tool▁output▁end｜>",
    ),
    "functiongemma": (
        "functiongemma",
        [user("Rain in Oslo?")],
        None,
        "<bos><start_of_turn>user\nRain in Oslo?<end_of_turn>\n<start_of_turn>model\n",
    ),
    "functiongemma, a question after a result": (
        "functiongemma",
        [ASK, calling(city="Oslo", at=[1, True]), WET, MORE],
        None,
        "<bos><start_of_turn>user\nRain?<end_of_turn>\n<start_of_turn>model\n"
        "<start_function_call>call:rain{at:[1,true],city:<escape>Oslo<escape>}<end_function_call>"
        "<start_function_response>response:rain{<escape>wet<escape>}<end_function_response>"
        "Thanks<end_of_turn>\n<start_of_turn>model\n",
    ),
    "gemma4": (
        "gemma4-small",
        [SYSTEM, ASK],
        True,
        "<bos><|turn>system\n<|think|>\nBe brief.<turn|>\n<|turn>user\nRain?<turn|>\n"
        "<|turn>model\n",
    ),
    "gemma4, a call without a result": (
        "gemma4-small",
        [ASK, calling(city="Oslo", no=None)],
        None,
        "<bos><|turn>user\nRain?<turn|>\n<|turn>model\n"
        '<|tool_call>call:rain{city:<|"|>Oslo<|"|>,no:null}<tool_call|><|tool_response>',
    ),
    "gemma4, a result is answered in the same turn": (
        "gemma4-small",
        [ASK, calling(), WET, assistant("<|channel>thought\nT<channel|>Wet."), MORE],
        None,
        "<bos><|turn>user\nRain?<turn|>\n<|turn>model\n<|tool_call>call:rain{}<tool_call|>"
        '<|tool_response>response:rain{value:<|"|>wet<|"|>}<tool_response|>Wet.<turn|>\n'
        "<|turn>user\nThanks<turn|>\n<|turn>model\n",
    ),
    "glm-4.7": ("glm-4.7", [ASK], None, "[gMASK]<sop><|user|>Rain?<|assistant|><think>"),
    "glm-ocr, no thinking": (
        "glm-ocr",
        [ASK, user("Go /nothink")],
        False,
        "[gMASK]<sop><|user|>\nRain?/nothink<|user|>\nGo /nothink<|assistant|>\n<think></think>\n",
    ),
    "lfm2": (
        "lfm2",
        [ASK],
        None,
        "<|startoftext|><|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "lfm2, an old thought is forgotten": (
        "lfm2-thinking",
        [ASK, assistant("A", "T"), MORE, assistant("B", "T"), MORE],
        None,
        "<|startoftext|><|im_start|>user\nRain?<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
        "<|im_start|>user\nThanks<|im_end|>\n<|im_start|>assistant\n<think>T</think>B<|im_end|>\n"
        "<|im_start|>user\nThanks<|im_end|>\n<|im_start|>assistant\n",
    ),
    "laguna": (
        "laguna",
        [SYSTEM, ASK],
        None,
        "〈|EOS|〉<system>\n\nBe brief.\n</system>\n<user>\nRain?\n</user>\n<assistant>\n</think>",
    ),
    "laguna, no system prompt at all": (
        "laguna",
        [system(" "), ASK, assistant("")],
        None,
        "〈|EOS|〉<user>\nRain?\n</user>\n<assistant>\n</think>\n</assistant>\n",
    ),
    "nemotron": (
        "nemotron-3-nano",
        [user("Hi")],
        False,
        "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n<think></think>",
    ),
    "nemotron, a mark decides": (
        "nemotron-3-nano",
        [user("Hi </think> /think"), assistant("A"), user("Yo /no_think")],
        True,
        "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi </think><|im_end|>\n"
        "<|im_start|>assistant\n<think></think>A<|im_end|>\n<|im_start|>user\nYo<|im_end|>\n"
        "<|im_start|>assistant\n<think></think>",
    ),
    "nemotron 3.5, little effort": (
        "nemotron-3.5-nano",
        [user("Hi /no_think")],
        "medium",
        "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi /no_think\n\n"
        "{reasoning effort: efficient}<|im_end|>\n<|im_start|>assistant\n<think>\n",
    ),
    "nemotron 3.5, more effort": (
        "nemotron-3.5-nano",
        [user("Hi")],
        "high",
        "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n",
    ),
    "glimmer, effort has another name": (
        "glimmer",
        [system("Reasoning effort: low."), ASK],
        "low",
        "<|begin_of_text|><|start|>system<|message|>Reasoning strength: low.\n\n"
        '# Valid recipients: "self", "user".<|eot|><|start|>user<|message|>Rain?<|eot|>'
        "<|start|>assistant",
    ),
    "cohere, results have their calls' numbers": (
        "cohere",
        [ASK, calling(), WET, ANSWER],
        None,
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><|START_TEXT|># Available Tools\n```json\n[\n\n"
        "\n\n]\n```<|END_TEXT|><|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|><|START_TEXT|>Rain?<|END_TEXT|><|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>\n            \n                <|START_ACTION|>["
        '\n\n    {"tool_call_id": "0", "tool_name": "rain", "parameters": {}}\n\n]<|END_ACTION|>'
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><|START_TOOL_RESULT|>["
        '\n    {\n        "tool_call_id": "0",\n        "results": {\n\n            \n'
        '            "0": {"content": "wet"}\n\n        },\n        "is_error": null\n    }\n\n]'
        "<|END_TOOL_RESULT|><|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
        "<|START_THINKING|>So.<|END_THINKING|><|START_TEXT|>Wet.",
    ),
    "olmo3, arguments are sorted": (
        "olmo3",
        [SYSTEM, ASK, calling("I look.", days=2, city="Oslo"), WET],
        None,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nRain?<|im_end|>\n"
        '<|im_start|>assistant\nI look.<function_calls>rain(city="Oslo", days=2)</function_calls>'
        "<|im_end|>\n<|im_start|>environment\nwet<|im_end|>\n<|im_start|>assistant\n",
    ),
}


@pytest.mark.parametrize(("name", "messages", "think", "text"), PROMPTS.values(), ids=PROMPTS)
def test_prompts(
    name: str, messages: Sequence[Message], think: bool | str | None, text: str
) -> None:
    assert render(name, messages, think=think) == text


OPENINGS = {
    "qwen3-coder": ("<|im_start|>assistant\n",) * 3,
    "qwen3-vl-instruct": (
        "<|im_start|>assistant\n",
        "<|im_start|>assistant\n<think>\n",
        "<|im_start|>assistant\n",
    ),
    "cogito": ("<｜Assistant｜>", "<｜Assistant｜><think>\n", "<｜Assistant｜>"),
    "deepseek3.1": ("<｜Assistant｜></think>", "<｜Assistant｜><think>", "<｜Assistant｜></think>"),
    "gemma4-large": (
        "<|turn>model\n<|channel>thought\n<channel|>",
        "<|turn>model\n",
        "<|turn>model\n<|channel>thought\n<channel|>",
    ),
    "glm-ocr": ("<|assistant|>\n", "<|assistant|>\n", "<|assistant|>\n<think></think>\n"),
    "laguna": ("<assistant>\n</think>", "<assistant>\n<think>", "<assistant>\n</think>"),
    "poolside-v1": ("<assistant></think>", "<assistant><think>", "<assistant></think>"),
    "cohere": (
        "<|CHATBOT_TOKEN|><|START_THINKING|>",
        "<|CHATBOT_TOKEN|><|START_THINKING|>",
        "<|START_THINKING|><|END_THINKING|>",
    ),
    "olmo3-think": ("<|im_start|>assistant\n<think>",) * 3,
}


@pytest.mark.parametrize(("name", "texts"), OPENINGS.items(), ids=OPENINGS)
def test_answers_are_opened_as_thinking_is_wished(name: str, texts: tuple[str, ...]) -> None:
    for think, text in zip((None, True, False), texts, strict=True):
        assert render(name, [ASK], think=think).endswith(f"{text}")


NESTED: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "o": {
                    "type": "object",
                    "properties": {"x": {"type": "integer"}},
                    "required": ["x"],
                },
                "l": {"type": "array", "items": {"type": ["string", "null"], "k": {"a": 1}}},
                "e": {"type": "string", "enum": ["a"], "default": "a", "description": "D"},
                "u": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        },
    },
}


def test_gemma4_declares_nested_parameters() -> None:
    assert (
        "<|tool>declaration:f{description:QdQ,parameters:{properties:{"
        "e:{description:QDQ,enum:[QaQ],type:QSTRINGQ},"
        "l:{items:{k:{QaQ:1},type:[QSTRINGQ,QNULLQ]},type:QARRAYQ},"
        "o:{properties:{x:{type:QINTEGERQ}},required:[QxQ],type:QOBJECTQ},"
        "u:{type:Q['STRING', 'NULL']Q}},type:QOBJECTQ}}<tool|>"
    ).replace("Q", '<|"|>') in render("gemma4-small", [ASK], tools=[NESTED])


def test_qwen3_coder_shows_what_else_parameters_say_in_the_clients_order() -> None:
    prompt = render("qwen3-coder", [ASK], tools=[NESTED])
    assert "<|im_start|>system\nYou are Qwen, a helpful AI assistant that can interact" in prompt
    assert (
        "<parameter>\n<name>o</name>\n<type>object</type>\n"
        '<properties>{"x":{"type":"integer"}}</properties>\n<required>["x"]</required>\n</parameter>'
    ) in prompt
    assert "default" not in prompt


FAULTS: dict[str, tuple[str, Sequence[Message], bool | str | None, str]] = {
    "no such renderer": ("r", [ASK], None, 'unknown renderer "r"'),
    "qwen3.8, nothing to answer": ("qwen3.8", [], None, "no messages provided"),
    "qwen3.8, no question": (
        "qwen3.8",
        [user(f" {RESULT_TEXT} ")],
        None,
        "no user query found in messages",
    ),
    "qwen3.8, an effort": ("qwen3.8", [ASK], "no", 'unsupported Qwen3.8 reasoning effort "no"'),
    "qwen3.8, a system prompt that shows something": (
        "qwen3.8",
        [Message(role="system", images=[MediaData(b"i")]), ASK],
        None,
        "system message cannot contain images",
    ),
}


@pytest.mark.parametrize(("name", "messages", "think", "text"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_rendered_is_said(
    name: str, messages: Sequence[Message], think: bool | str | None, text: str
) -> None:
    with pytest.raises(TemplateError) as fault:
        render(name, messages, think=think)
    assert str(fault.value) == text


def deep() -> dict[str, Any]:
    """A value nested deeper than anything is written."""
    value: dict[str, Any] = {}
    for _ in range(5000):
        value = {"a": value}
    return value


@pytest.mark.parametrize("name", RENDERERS)
def test_odd_messages_and_tools_make_a_prompt_or_the_error_for_it(name: str) -> None:
    odd: list[dict[str, Any]] = [
        {},
        {"function": []},
        {"function": {"name": 1, "parameters": {"properties": {"a": 1, "b": {"type": [1]}}}}},
        {"function": {"parameters": {"properties": [], "required": "x"}}},
    ]
    assert render(name, [ASK], tools=odd)
    for messages in ([WET, ASK], [ASK, WET, ANSWER, calling(), ASK], [ASK, SYSTEM, SYSTEM, ANSWER]):
        assert render(name, messages, tools=[TOOL], think="high")
    worst = {"function": {"name": "f", "parameters": {"properties": {"a": {"items": deep()}}}}}
    with contextlib.suppress(TemplateError):
        render(name, [ASK, calling(deep=deep()), WET, ASK], tools=[worst])


SIZES = {
    "a small name": ("gemma4:e4b", 20_000_000_000, "gemma4-small"),
    "a large name": ("Gemma4:26B-a4b", 0, "gemma4-large"),
    "a large model": ("mine:latest", 12_000_000_000, "gemma4-large"),
    "a small model": ("mine:latest", 4_000_000_000, "gemma4-small"),
}


@pytest.mark.parametrize(("model", "size", "name"), SIZES.values(), ids=SIZES)
def test_gemma4_has_two_forms(model: str, size: int, name: str) -> None:
    assert resolve("gemma4", model, size) == name
    assert resolve("glm-4.7", model, size) == "glm-4.7"
