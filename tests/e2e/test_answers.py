"""What generate and chat answer: fields, options, loading, thoughts, prompts.

The numbers are those of the API spec's checklist, section 23.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SHORT = {"temperature": 0, "num_predict": 6}


def ask(server: Server, model: str = "tiny", **fields: Any) -> dict[str, Any]:
    """A whole answer of generate that must succeed."""
    body = {"model": model, "prompt": "the dog", "stream": False, "options": SHORT, **fields}
    answer = server.request("POST", "/api/generate", body)
    assert answer.status == 200, answer.body
    assert isinstance(answer.json, dict)
    return answer.json


def chat(server: Server, model: str, *messages: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """A whole answer of chat that must succeed."""
    body = {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in messages],
        "stream": False,
        **fields,
    }
    answer = server.request("POST", "/api/chat", body)
    assert answer.status == 200, answer.body
    assert isinstance(answer.json, dict)
    return answer.json


def rendered(server: Server, model: str, *messages: tuple[str, str], **fields: Any) -> str:
    """The prompt that a chat is turned into."""
    value = chat(server, model, *messages, _debug_render_only=True, **fields)
    assert (value["done"], value["message"]) == (False, {"role": "", "content": ""})
    return str(value["_debug_info"]["rendered_template"])


def test_the_assistant_s_last_words_are_gone_on_with(server: Server, chatty: str) -> None:
    """Prefill: clients put the beginning of an answer there."""
    asked = ("user", "Hi"), ("assistant", "Well, ")
    open_end = rendered(server, chatty, *asked)
    assert open_end.endswith("<user>Hi\n<assistant>Well,")
    closed = rendered(server, chatty, *asked, ("user", "?"))
    assert closed.endswith("<assistant>Well, \n<user>?\n<assistant>")
    assert rendered(server, chatty, ("user", "Hi"), ("assistant", " ")).endswith("\n<assistant>")


def test_the_fields_of_an_answer(server: Server) -> None:
    """29"""
    value = ask(server, options={**SHORT, "num_predict": 6})
    assert [key for key in value if key != "prompt_eval_cached_count"] == [
        "model",
        "created_at",
        "response",
        "done",
        "done_reason",
        "context",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ]
    assert (value["model"], value["done"], value["eval_count"]) == ("tiny", True, 6)
    assert value["created_at"].endswith("Z")
    datetime.fromisoformat(value["created_at"][:19])
    assert len(value["context"]) >= value["prompt_eval_count"] + 6 - 1
    assert "context" not in ask(server, raw=True)


def test_the_name_is_echoed(server: Server) -> None:
    """67"""
    assert ask(server, "TINY:Latest")["model"] == "TINY:Latest"
    assert ask(server, "tiny:local")["model"] == "tiny:local"
    value = chat(server, "Tiny", ("user", "hi"), options=SHORT)
    assert (value["model"], value["message"]["role"]) == ("Tiny", "assistant")


@pytest.mark.parametrize("stream", [True, False])
def test_loading_and_unloading(server: Server, stream: bool) -> None:
    """23, 24, 25, 49, 104"""
    loads: dict[str, object] = {"none": None, "never": -1, "minutes": "5m"}
    unloads: dict[str, object] = {"0": 0, '"0"': "0", "0s": "0s", "0.0": 0.0}
    for keep_alives, reason in ((loads, "load"), (unloads, "unload")):
        for keep_alive in keep_alives.values():
            answer = server.post(
                "/api/generate", model="tiny", keep_alive=keep_alive, stream=stream
            )
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
            value = answer.json
            assert list(value) == ["model", "created_at", "response", "done", "done_reason"]
            assert (value["response"], value["done"], value["done_reason"]) == ("", True, reason)
    answer = server.post("/api/chat", model="tiny", messages=[], stream=stream)
    assert answer.json["message"] == {"role": "assistant", "content": ""}
    assert (answer.json["done_reason"], answer.json["done"]) == ("load", True)
    answer = server.post("/api/chat", model="tiny", keep_alive=0, stream=stream)
    assert answer.json["done_reason"] == "unload"


HARMLESS: dict[str, dict[str, Any]] = {
    "35 an unknown option": {"options": {**SHORT, "nonsense": 1, "mirostat": 2}},
    "35 a null option": {"options": {**SHORT, "top_k": None}},
    "36 a number that is not whole": {"options": {**SHORT, "num_ctx": 256.7}},
    "37 no format": {"format": ""},
    "37 a null format": {"format": None},
    "30 no thinking": {"think": False},
    "28 raw with an empty context": {"raw": True, "context": []},
    "no tokens before": {"context": []},
}


@pytest.mark.parametrize("fields", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_nothing(server: Server, fields: dict[str, Any]) -> None:
    assert ask(server, **fields)["response"] == ask(server)["response"]


def test_the_length_of_an_answer(server: Server) -> None:
    """45"""
    value = ask(server, options={"num_predict": 1})
    assert (value["done_reason"], value["eval_count"]) == ("length", 1)


def test_stop_words(server: Server) -> None:
    text = ask(server, options={"temperature": 0, "num_predict": 20})["response"]
    words = text.split()
    value = ask(server, options={"temperature": 0, "num_predict": 20, "stop": ["#", words[3]]})
    assert value["done_reason"] == "stop"
    assert value["response"] == text[: text.index(words[3])]


def test_a_seed_repeats_the_answer(server: Server) -> None:
    texts = [
        ask(server, options={"seed": seed, "num_predict": 20, "temperature": 1.5})["response"]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_log_probabilities(server: Server) -> None:
    """46"""
    entries = ask(server, logprobs=True)["logprobs"]
    assert len(entries) == 6
    assert all("top_logprobs" not in entry and entry["logprob"] <= 0 for entry in entries)
    assert "".join(entry["token"] for entry in entries) == ask(server)["response"]
    [first, *_] = ask(server, logprobs=True, top_logprobs=5)["logprobs"]
    assert len(first["top_logprobs"]) == 5
    assert first["top_logprobs"][0]["token"] == first["token"]
    assert first["bytes"] == list(first["token"].encode())
    assert "logprobs" not in ask(server, top_logprobs=5)


def test_the_tokens_of_an_answer_continue_it(server: Server) -> None:
    first = ask(server, raw=False)
    again = ask(server, prompt=" the cat", context=first["context"])
    joined = ask(server, prompt="the dog" + first["response"] + " the cat", raw=True)
    assert again["prompt_eval_count"] > first["prompt_eval_count"] + 6
    assert abs(again["prompt_eval_count"] - joined["prompt_eval_count"]) <= 1


def test_json(server: Server) -> None:
    text = ask(server, format="json", options={"temperature": 0, "num_predict": 5})["response"]
    assert text.lstrip().startswith("{")


def test_a_schema(server: Server) -> None:
    """62"""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "maxLength": 3}},
        "required": ["a"],
        "additionalProperties": False,
    }
    value = ask(server, format=schema, options={"temperature": 0, "num_predict": 80})
    answer = json.loads(value["response"])
    assert list(answer) == ["a"]
    assert len(answer["a"]) <= 3
    assert value["done_reason"] == "stop"


@pytest.mark.parametrize("stream", [True, False])
def test_the_prompt_that_is_rendered(server: Server, chatty: str, stream: bool) -> None:
    """42"""
    answer = server.post(
        "/api/generate", model=chatty, prompt="Hi", _debug_render_only=True, stream=stream
    )
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    value = answer.json
    assert (value["done"], value["response"]) == (False, "")
    assert "done_reason" not in value
    assert value["_debug_info"] == {"rendered_template": "<system>Be kind.\n<user>Hi\n<assistant>"}


def test_system_prompts(server: Server, chatty: str) -> None:
    """39, 53, 54"""

    def prompt_of(**fields: object) -> str:
        answer = server.post(
            "/api/generate", model=chatty, prompt="Hi", _debug_render_only=True, **fields
        )
        return str(answer.json["_debug_info"]["rendered_template"])

    assert prompt_of(system="Be new.") == "<system>Be new.\n<user>Hi\n<assistant>"
    assert prompt_of(system="") == "<system>Be kind.\n<user>Hi\n<assistant>"
    later = rendered(server, chatty, ("USER", "Hi"), ("system", "Later."), ("user", "And?"))
    assert later == "<system>Be kind.\n<user>Hi\n<system>Later.\n<user>And?\n<assistant>"
    first = rendered(server, chatty, ("system", "First."), ("user", "Hi"))
    assert first == "<system>First.\n<user>Hi\n<assistant>"


def test_a_long_history_loses_its_oldest_messages(server: Server, chatty: str) -> None:
    """65"""
    turns = [("user" if n % 2 == 0 else "assistant", f"turn {n} " + "word " * 40) for n in range(9)]
    whole = [("system", "Keep me."), *turns, ("user", "And last?")]
    text = rendered(server, chatty, *whole)
    assert text.startswith("<system>Keep me.\n")
    assert text.endswith("<user>And last?\n<assistant>")
    assert "turn 0 " not in text
    assert "turn 8 " in text
    assert "turn 0 " in rendered(server, chatty, *whole, truncate=False)


def test_a_prompt_longer_than_the_context_is_cut(server: Server) -> None:
    value = ask(server, prompt="red ball " * 400)
    assert value["prompt_eval_count"] < 512
    assert value["eval_count"] == 6
    assert value["truncated"] is True


def test_an_answer_longer_than_the_context(server: Server) -> None:
    """66"""
    options = {"temperature": 0, "num_predict": 120, "num_ctx": 64}
    kept = ask(server, options=options, shift=False)
    assert (kept["done_reason"], kept["eval_count"] < 64) == ("length", True)
    assert "truncated" not in kept
    shifted = ask(server, options=options, shift=True)
    assert (shifted["done_reason"], shifted["eval_count"]) == ("length", 120)
    assert shifted["truncated"] is True
    assert shifted["response"].startswith(kept["response"])


def test_thoughts(server: Server, thinker: str) -> None:
    """59"""
    question = ("user", "Hi")
    message = chat(server, thinker, question)["message"]
    assert message["thinking"]
    assert message["content"] == ""
    message = chat(server, thinker, question, think=False)["message"]
    assert "thinking" not in message
    assert message["content"]
    with server.stream(
        "/api/chat", model=thinker, messages=[{"role": "user", "content": "Hi"}]
    ) as stream:
        pieces = list(stream)
    assert all(piece["message"]["content"] == "" for piece in pieces)
    assert "".join(piece["message"].get("thinking", "") for piece in pieces)
    assert pieces[-1]["done_reason"] == "length"
