"""Images over HTTP: generate and chat with a model that sees, on the native API and on OpenAI's
and Anthropic's.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CHAT_TEMPLATE
from tests.e2e.server import Answer, Server
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.monoliths import FORMS, read_gguf, round_eye, write_copy, write_monolith
from tests.fakes.projectors import GEMMA, LLAVA, make_image, make_projector
from tests.fakes.shapes import make_tiny_window

pytestmark = pytest.mark.e2e

SHORT = {"temperature": 0, "num_predict": 8}
ONE, OTHER = (base64.b64encode(make_image(seed=seed)).decode() for seed in (1, 2))


@pytest.fixture(scope="session")
def seer(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that sees, with a chat template that knows nothing of images."""
    return create_seer(server, tmp_path_factory.mktemp("seer"))


def create_seer(server: Server, folder: Path) -> str:
    """Make the model on any server; its files lie in a folder."""
    model = make_tiny_llama(folder / "seer.gguf", chat_template=CHAT_TEMPLATE)
    projector = make_projector(folder / "eye.gguf", LLAVA)
    files = {path.name: server.upload(path.read_bytes()) for path in (model, projector)}
    assert server.post("/api/create", model="seer", files=files, stream=False).status == 200
    return "seer"


def chat(server: Server, *messages: dict[str, Any], **fields: Any) -> Answer:
    return server.post(
        "/api/chat",
        **{"model": "seer", "messages": messages, "stream": False, "options": SHORT, **fields},
    )


def ask(content: str, *images: str) -> dict[str, Any]:
    return {"role": "user", "content": content, "images": images}


def said(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json["message"]["content"])


def test_the_model_is_known_to_see(server: Server, seer: str) -> None:
    shown = server.post("/api/show", model=seer).json
    assert shown["capabilities"] == ["completion", "vision"]
    assert shown["projector_info"]["clip.projector_type"] == "mlp"


def test_an_encoder_inside_the_weights_sees_as_one_in_a_file_of_its_own(
    server: Server, tmp_path: Path
) -> None:
    form = FORMS["gemma3"]
    keys, weights = read_gguf(make_tiny_window(tmp_path / "plain.gguf"))
    bases = {"gemma3.rope.freq_base": 1e6, "gemma3.rope.freq_base_swa": 1e4}
    template = {"tokenizer.chat_template": CHAT_TEMPLATE}
    text = write_copy(tmp_path / "text.gguf", keys | bases | template, weights)
    eye = round_eye(make_projector(tmp_path / "eye.gguf", GEMMA), form)
    whole = write_monolith(tmp_path / "whole.gguf", text, eye, form)
    for name, paths in (("apart", (text, eye)), ("inside", (whole,))):
        files = {path.name: server.upload(path.read_bytes()) for path in paths}
        assert server.post("/api/create", model=name, files=files, stream=False).status == 200
    shown = server.post("/api/show", model="inside").json
    assert shown["capabilities"] == ["completion", "vision"]
    assert shown["model_info"]["gemma3.vision.block_count"] == 2
    questions = [ask("the dog", ONE), ask("the dog", OTHER), ask("the dog")]
    apart, inside = (
        [said(chat(server, question, model=name)) for question in questions]
        for name in ("apart", "inside")
    )
    assert apart == inside
    assert len(set(inside)) == 3


def test_what_is_seen_matters(server: Server, seer: str) -> None:
    texts = [said(chat(server, ask("the dog", image))) for image in (ONE, OTHER, ONE)]
    assert texts[0] == texts[2] != texts[1]
    assert said(chat(server, ask("the dog"))) not in texts


def test_a_second_question_finds_the_image_in_the_cells(server: Server, seer: str) -> None:
    new = base64.b64encode(make_image(seed=3)).decode()
    first = chat(server, ask("sun", new)).json
    again = chat(server, ask("moon", new)).json
    assert first.get("prompt_eval_cached_count", 0) < 16 < again["prompt_eval_cached_count"]
    assert again["prompt_eval_count"] > 16


def test_generate_places_images_too(server: Server, seer: str) -> None:
    body = {"model": seer, "prompt": "the dog", "stream": False, "options": SHORT}
    seen = server.post("/api/generate", **body, images=[ONE])
    assert seen.json["response"] == said(chat(server, ask("the dog", ONE)))
    assert min(seen.json["context"]) >= 0
    raw = {**body, "raw": True, "prompt": "<user>[img-0]the dog\n<assistant>"}
    assert (
        server.post("/api/generate", **raw, images=[ONE]).json["response"] == seen.json["response"]
    )


def test_prompts_are_shown_with_tags(server: Server, seer: str) -> None:
    """40"""
    shown = chat(server, ask("the dog", ONE), _debug_render_only=True).json["_debug_info"]
    assert shown == {"rendered_template": "<user>[img-0]the dog\n<assistant>", "image_count": 1}


def test_images_stream(server: Server, seer: str) -> None:
    with server.stream("/api/chat", model=seer, messages=[ask("the dog", ONE)], options=SHORT) as s:
        text = "".join(piece["message"]["content"] for piece in s)
    assert text == said(chat(server, ask("the dog", ONE)))


def test_old_messages_go_by_what_their_images_take(server: Server, seer: str) -> None:
    """Forty images of 16 tokens do not fit into 512; the last question does, with its own."""
    history = [ask("Lily and Tom", ONE), {"role": "assistant", "content": "sun"}] * 20
    answer = chat(server, *history, ask("the dog", OTHER)).json
    assert answer["truncated"] is True
    assert 256 < answer["prompt_eval_count"] <= 512
    shown = chat(server, *history, ask("the dog", OTHER), _debug_render_only=True).json
    assert 8 < shown["_debug_info"]["image_count"] < 20


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no image": (ask("hi", base64.b64encode(b"hello").decode()), 400, "image 0 is not a PNG"),
    "half an image": (ask("hi", ONE[:400]), 400, "image 0 cannot be read: "),
    "no base64": (ask("hi", "data:image/png;base64,AAAA"), 400, "illegal base64 data"),
    "too many for the context": (ask("hi", *[ONE] * 40), 400, "longer than the context"),
}


@pytest.mark.parametrize(("message", "status", "text"), REFUSED.values(), ids=REFUSED)
def test_refusals(
    server: Server, seer: str, message: dict[str, Any], status: int, text: str
) -> None:
    answer = chat(server, message)
    assert answer.status == status
    assert text in answer.json["error"]
    assert said(chat(server, ask("the dog", ONE)))  # and nothing else is hurt


def test_an_image_that_no_tag_places(server: Server, seer: str) -> None:
    body = {"model": seer, "prompt": "the dog", "raw": True, "stream": False, "images": [ONE]}
    answer = server.post("/api/generate", **body)
    assert answer.status == 400
    assert answer.json["error"] == "the prompt does not say where image 0 is: write [img-0]"


def test_the_openai_api_shows_images(server: Server, seer: str) -> None:
    parts = [
        {"type": "text", "text": "the dog"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{ONE}"}},
    ]
    answer = server.post(
        "/v1/chat/completions",
        model=seer,
        messages=[{"role": "user", "content": parts}],
        temperature=0,
        max_tokens=8,
    )
    assert answer.status == 200, answer.body
    text = answer.json["choices"][0]["message"]["content"]
    assert text == said(chat(server, ask("the dog", ONE)))


def test_responses_show_images(server: Server, seer: str) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{ONE}"}
    content = [{"type": "input_text", "text": "the dog"}, image]
    answer = server.post(
        "/v1/responses",
        model=seer,
        input=[{"role": "user", "content": content}],
        temperature=0,
        top_p=0.9,
        max_output_tokens=8,
        store=False,
    )
    (message,) = answer.json["output"]
    assert message["content"][0]["text"] == said(chat(server, ask("the dog", ONE)))


def test_the_anthropic_api_shows_images(server: Server, seer: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": ONE}
    blocks = [{"type": "image", "source": source}, {"type": "text", "text": "the dog"}]
    answer = server.post(
        "/v1/messages",
        model=seer,
        messages=[{"role": "user", "content": blocks}],
        temperature=0,
        max_tokens=8,
    )
    assert answer.status == 200, answer.body
    text = "".join(block["text"] for block in answer.json["content"])
    assert text == said(chat(server, ask("the dog", ONE)))


def test_images_count_as_tokens(server: Server, seer: str) -> None:
    def count(*content: dict[str, Any]) -> int:
        body = {"model": seer, "messages": [{"role": "user", "content": content}]}
        answer = server.post("/v1/messages/count_tokens", **body)
        assert answer.status == 200, answer.body
        return int(answer.json["input_tokens"])

    text = {"type": "text", "text": "the dog"}
    source = {"type": "base64", "media_type": "image/png", "data": ONE}
    tags = len("[img-0]")
    assert count({"type": "image", "source": source}, text) == count(text) + LLAVA.tokens + tags


def test_the_projector_counts_as_the_models_memory(
    server: Server, seer: str, tmp_path: Path
) -> None:
    blind = tmp_path / "blind.gguf"
    make_tiny_llama(blind, chat_template=CHAT_TEMPLATE, seed=5)
    server.create("blind", blind)
    sizes = {}
    for model in ("blind", seer):
        server.post("/api/generate", model=model)
        rows = server.get("/api/ps").json["models"]
        sizes[model] = next(row["size"] for row in rows if row["name"].startswith(model))
    projector = make_projector(tmp_path / "eye.gguf", LLAVA)
    assert sizes[seer] >= sizes["blind"] + projector.stat().st_size
