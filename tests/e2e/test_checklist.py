"""Checks of the API spec's section 23 that need several requests, or none of the other files'
subjects. Numbers are the section's.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

SHORT = {"num_predict": 3, "temperature": 0, "seed": 1}
HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("keep_alive", "reason"),
    [(0, "unload"), ("0", "unload"), ("0s", "unload"), (-1, "load"), ("5m", "load")],
)
def test_keep_alive_without_a_prompt(server: Server, keep_alive: object, reason: str) -> None:
    """25"""
    answer = server.post("/api/generate", model="tiny", keep_alive=keep_alive)
    assert (answer.status, answer.json["done_reason"]) == (200, reason)
    server.post("/api/generate", model="tiny", keep_alive="5m")


GENERATES: dict[str, dict[str, Any]] = {
    "28 raw with an empty context": {"raw": True, "context": []},
    "30 a model that cannot think, told not to": {"think": False},
    "35 unknown options": {"options": {"nonsense": 1, **SHORT}},
    "35 options without a value": {"options": {"top_k": None, **SHORT}},
    "36 a number that should be whole": {"options": {"num_ctx": 256.7, **SHORT}},
    "37 an empty format": {"format": ""},
    "37 no format": {"format": None},
}


@pytest.mark.parametrize("body", GENERATES.values(), ids=GENERATES)
def test_what_is_accepted(server: Server, body: dict[str, Any]) -> None:
    fields = {"prompt": "once", "stream": False, "options": SHORT, **body}
    answer = server.post("/api/generate", model="tiny", **fields)
    assert (answer.status, answer.json["done"]) == (200, True)
    assert answer.json["eval_count"] == 3


def test_an_option_is_cut_to_a_whole_number(server: Server) -> None:
    """36"""
    options = {**SHORT, "num_predict": 2.9}
    answer = server.post("/api/generate", model="tiny", prompt="a", stream=False, options=options)
    assert answer.json["eval_count"] == 2


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
def test_log_probabilities(server: Server, path: str) -> None:
    """46"""
    body: dict[str, Any] = {"model": "tiny", "prompt": "a", "messages": HI, "options": SHORT}
    bare = server.post(path, **body, stream=False, logprobs=True, top_logprobs=0).json
    assert [sorted(each) for each in bare["logprobs"]] == [["bytes", "logprob", "token"]] * 3
    assert "logprobs" not in server.post(path, **body, stream=False, top_logprobs=5).json
    full = server.post(path, **body, stream=False, logprobs=True, top_logprobs=5).json
    assert [len(each["top_logprobs"]) for each in full["logprobs"]] == [5, 5, 5]


def test_a_whole_chat_is_the_sum_of_its_stream(server: Server, thinker: str) -> None:
    """63, 67"""
    body: dict[str, Any] = {"model": thinker, "messages": HI, "logprobs": True, "options": SHORT}
    pieces = server.post("/api/chat", **body).lines
    whole = server.post("/api/chat", **body, stream=False).json
    assert {each["model"] for each in pieces} == {whole["model"]} == {thinker}
    for name in ("content", "thinking"):
        said = "".join(each["message"].get(name, "") for each in pieces)
        assert said == whole["message"].get(name, "")
    told = [entry["token"] for each in pieces for entry in each.get("logprobs", [])]
    assert told == [entry["token"] for entry in whole["logprobs"]]


def test_a_role_in_capitals(server: Server, chatty: str) -> None:
    """53"""
    shown = server.post(
        "/api/chat",
        model=chatty,
        messages=[{"role": "USER", "content": "hi"}],
        _debug_render_only=True,
    )
    assert "<user>hi" in shown.json["_debug_info"]["rendered_template"]


def test_creating_with_a_bad_template_while_streaming(server: Server) -> None:
    """94: what was told before makes it a 200."""
    body = {"model": "x", "from": "tiny", "system": "s", "info": {"context_length": 1.5}}
    answer = server.post("/api/create", **body)
    assert "context_length" in answer.lines[-1]["error"]
    assert answer.status == (200 if len(answer.lines) > 1 else 400)
    assert server.post("/api/show", model="x").status == 404


def test_pulling_what_is_not_there(server: Server) -> None:
    """97"""
    body = {"model": f"http://127.0.0.1:{server.port}/nobody/nothing:1", "insecure": True}
    answer = server.post("/api/pull", **body)
    assert answer.status == 200
    first, *_, last = answer.lines
    assert (first, list(last)) == ({"status": "pulling manifest"}, ["error"])
    assert server.post("/api/pull", **body, stream=False).status == 404


CLOUD: dict[str, tuple[str, str, int, str]] = {
    "who am I": ("POST", "/api/me", 401, "unauthorized"),
    "signing out": ("POST", "/api/signout", 401, "you are not currently signed in"),
    "signing out as old clients do": (
        "DELETE",
        "/api/user/keys/c3NoLWVkMjU1MTk",
        401,
        "you are not currently signed in",
    ),
    "search": (
        "POST",
        "/api/experimental/web_search",
        403,
        "ollama cloud is disabled: web search is unavailable",
    ),
    "a page": (
        "POST",
        "/api/experimental/web_fetch",
        403,
        "ollama cloud is disabled: web fetch is unavailable",
    ),
}


@pytest.mark.parametrize(("method", "path", "status", "error"), CLOUD.values(), ids=CLOUD)
def test_there_is_no_cloud(server: Server, method: str, path: str, status: int, error: str) -> None:
    """Section 20."""
    answer = server.request(method, path, {"query": "x", "url": "x"})
    assert (answer.status, answer.error) == (status, error)


@pytest.mark.parametrize("path", ["web_search", "web_fetch"])
def test_the_cloud_needs_a_body_all_the_same(server: Server, path: str) -> None:
    """Section 20."""
    answer = server.request("POST", f"/api/experimental/{path}")
    assert (answer.status, answer.error) == (400, "missing request body")


def test_recommendations(server: Server) -> None:
    """Section 20."""
    answer = server.get("/api/experimental/model-recommendations")
    (one,) = answer.json["recommendations"]
    assert (answer.status, one["model"]) == (200, "cria")
