"""Recordings over HTTP: a model that hears and sees, on the native API and on OpenAI's."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.conftest import CHAT_TEMPLATE
from tests.e2e.server import Answer, Server
from tests.fakes.ears import EAR_TOKENS, make_both, make_ear, make_sound
from tests.fakes.ggufs import make_tiny_llama
from tests.fakes.projectors import LLAVA, make_image, make_projector

pytestmark = pytest.mark.e2e

SHORT = {"temperature": 0, "num_predict": 8}
WAV, MP3 = make_sound(2, seed=1), make_sound(2, seed=2, format="MP3")
ONE, OTHER, IMAGE = (base64.b64encode(each).decode() for each in (WAV, MP3, make_image(seed=1)))


@pytest.fixture(scope="module")
def hearer(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that hears and sees, whose template knows of neither; `blind` has no projector, and
    `deaf` only sees."""
    folder = tmp_path_factory.mktemp("hearer")
    model = make_tiny_llama(folder / "llama.gguf", chat_template=CHAT_TEMPLATE, n_ctx=2048)
    eye = make_projector(folder / "eye.gguf", LLAVA)
    both = make_both(folder / "both.gguf", eye, make_ear(folder / "ear.gguf"))
    for name, paths in (("hearer", (model, both)), ("deaf", (model, eye)), ("blind", (model,))):
        files = {path.name: server.upload(path.read_bytes()) for path in paths}
        made = server.post(
            "/api/create", model=name, files=files, parameters={"num_predict": 8}, stream=False
        )
        assert made.status == 200, made.body
    return "hearer"


@pytest.fixture
def client(server: Server, hearer: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as started:
        yield started


def chat(server: Server, content: str, *files: str, model: str = "hearer") -> Answer:
    message = {"role": "user", "content": content, "images": files}
    return server.post("/api/chat", model=model, messages=[message], stream=False, options=SHORT)


def said(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json["message"]["content"])


def test_the_model_is_known_to_hear(server: Server, hearer: str) -> None:
    shown = server.post("/api/show", model=hearer).json
    assert shown["capabilities"] == ["completion", "vision", "audio"]
    assert shown["projector_info"]["clip.audio.projector_type"] == "ultravox"


def test_what_is_heard_matters(server: Server, hearer: str) -> None:
    texts = [said(chat(server, "the dog", *files)) for files in ([ONE], [OTHER], [], [IMAGE])]
    assert len(set(texts)) == 4
    assert said(chat(server, "the dog", ONE)) == texts[0]
    mixed = chat(server, "the dog", ONE, IMAGE)
    assert mixed.json["prompt_eval_count"] > EAR_TOKENS + LLAVA.tokens
    assert said(mixed) != said(chat(server, "the dog", IMAGE, ONE))
    body = {"model": hearer, "prompt": "the dog", "stream": False, "options": SHORT}
    assert server.post("/api/generate", **body, images=[ONE]).json["response"] == texts[0]


def test_a_second_question_finds_the_recording_in_the_cells(server: Server, hearer: str) -> None:
    new = base64.b64encode(make_sound(2, seed=5)).decode()
    first, again = (chat(server, text, new).json for text in ("sun", "moon"))
    assert first.get("prompt_eval_cached_count", 0) < EAR_TOKENS
    assert again["prompt_eval_cached_count"] > EAR_TOKENS


REFUSED = {
    "deaf": ("deaf", ONE, '"deaf" does not support audio input'),
    "blind": ("blind", ONE, '"blind" does not support audio input'),
    "half a recording": ("hearer", ONE[:40], "recording 0 cannot be read"),
    "a browser's": ("hearer", base64.b64encode(b"\x1a\x45\xdf\xa3").decode(), "is WebM"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(server: Server, hearer: str, name: str) -> None:
    model, file, text = REFUSED[name]
    answer = chat(server, "the dog", file, model=model)
    assert answer.status == 400
    assert text in answer.json["error"]


def test_input_audio(server: Server, client: openai.OpenAI) -> None:
    """AU-3"""
    expected = said(chat(server, "the dog", ONE))
    audio: Any = {"type": "input_audio", "input_audio": {"data": ONE, "format": "wav"}}
    content: Any = [audio, {"type": "text", "text": "the dog"}]
    reply = client.chat.completions.create(
        model="hearer",
        messages=[{"role": "user", "content": content}],
        temperature=0,
        max_tokens=8,
    )
    assert (reply.choices[0].message.content or "").strip() == expected.strip()
    item: Any = {"role": "user", "content": [audio, {"type": "input_text", "text": "the dog"}]}
    response = client.responses.create(
        model="hearer", input=[item], temperature=0, max_output_tokens=8, store=False
    )
    assert response.output_text.strip() == expected.strip()


def test_transcriptions(client: openai.OpenAI) -> None:
    file = ("speech.wav", WAV)
    ask: Any = {"model": "hearer", "file": file}
    text = client.audio.transcriptions.create(**ask).text
    assert text
    other = client.audio.transcriptions.create(model="hearer", file=("speech.mp3", MP3)).text
    assert other != text
    plain: Any = client.audio.transcriptions.create(**ask, response_format="text")
    assert plain.strip() == text
    verbose: Any = client.audio.transcriptions.create(**ask, response_format="verbose_json")
    assert (verbose.text, verbose.duration, len(verbose.segments)) == (text, 2.0, 1)
    subtitles: Any = client.audio.transcriptions.create(**ask, response_format="vtt")
    assert subtitles.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n")
    events = list(client.audio.transcriptions.create(**ask, stream=True))
    assert [each.type for each in events][-2:] == ["transcript.text.delta", "transcript.text.done"]
    assert "".join(each.delta for each in events if each.type == "transcript.text.delta") == text
    with pytest.deprecated_call():  # by the vendor
        assert client.audio.translations.create(model="hearer", file=file).text
    with pytest.raises(openai.BadRequestError, match="does not support audio input"):
        client.audio.transcriptions.create(model="blind", file=file)
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="nobody", file=file)
