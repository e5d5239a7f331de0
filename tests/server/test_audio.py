"""/v1/audio: what is said in a recording becomes text in the form that was asked for; nothing
speaks. Check names are the compatibility spec's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from puna.api.events import Content, Done, Event, Thinking
from puna.api.requests import ChatRequest
from puna.server.routes.audio import UPLOAD_LIMIT
from tests.fakes.ears import make_sound
from tests.fakes.projectors import make_image
from tests.server.scripted import client, run

WRITES = ["/v1/audio/transcriptions", "/v1/audio/translations"]
SPEAKS = "/v1/audio/speech"
FORM = {"content-type": "multipart/form-data; boundary=x"}
SOUND = make_sound(2.5)
SAID: list[Event] = [
    Thinking("hm"),
    Content(" "),
    Content("Hello "),
    Content("there,\n\n"),
    Content("Tom --> Ann. "),
    Done("stop", prompt_tokens=30, eval_tokens=4),
]
TEXT = "Hello there,\n\nTom --> Ann."


def form(file: bytes | None = SOUND, /, **fields: str) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in {"model": "m", **fields}.items()
    ]
    if file is not None:
        head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        parts.append(head.encode() + b"Content-Type: audio/wav\r\n\r\n" + file + b"\r\n")
    return b"".join([*parts, b"--x--\r\n"])


class Hearer:
    """A chat that answers with SAID and knows what it was asked."""

    def __init__(self) -> None:
        self.orders: list[ChatRequest] = []

    async def __call__(self, order: ChatRequest) -> AsyncGenerator[Event, None]:
        self.orders.append(order)
        for event in SAID:
            yield event


def ask(body: bytes, path: str = WRITES[0], headers: dict[str, str] = FORM) -> tuple[Any, Hearer]:
    hearer = Hearer()
    app = client(chat=hearer)
    return run(app.request("POST", path, body, headers=headers)), hearer


SEGMENT = {"id": 0, "start": 0.0, "end": 2.5, "text": TEXT}
VERBOSE = {"duration": 2.5, "text": TEXT, "segments": [SEGMENT]}
CUE = "Hello there,\nTom -> Ann.\n"
FORMATS: dict[str, Any] = {
    "": {"text": TEXT},
    "json": {"text": TEXT},
    "diarized_json": {"text": TEXT},  # as the reference answers what it does not know
    "verbose_json": {"task": "transcribe", "language": "de", **VERBOSE},
    "text": f"{TEXT}\n",
    "srt": f"1\n00:00:00,000 --> 00:00:02,500\n{CUE}",
    "vtt": f"WEBVTT\n\n00:00:00.000 --> 00:00:02.500\n{CUE}",
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str) -> None:
    """AU-1, where we differ: timed formats are served, with one segment."""
    reply, _ = ask(form(response_format=name, language="de"))
    wanted = FORMATS[name]
    kind = "text/plain" if isinstance(wanted, str) else "application/json"
    assert reply.status == 200
    assert reply.header("content-type") == f"{kind}; charset=utf-8"
    assert (reply.body.decode() if isinstance(wanted, str) else reply.json) == wanted


def test_a_translation_is_english() -> None:
    reply, hearer = ask(form(response_format="verbose_json"), WRITES[1])
    assert reply.json == {"task": "translate", "language": "english", **VERBOSE}
    system, user = hearer.orders[0].messages
    assert "English" in system.content
    assert "English" in user.content


@pytest.mark.parametrize("name", ["json", "text"])
def test_streams(name: str) -> None:
    reply, _ = ask(form(response_format=name, stream="true"))
    assert reply.header("content-type").startswith("text/event-stream")
    events = reply.body.decode().split("\n\n")
    assert events[:3] == [
        'data: {"type":"transcript.text.delta","delta":"Hello"}',
        'data: {"type":"transcript.text.delta","delta":" there,"}',
        'data: {"type":"transcript.text.delta","delta":"\\n\\nTom --> Ann."}',
    ]
    assert events[3].startswith('data: {"type":"transcript.text.done","text":"Hello there,')
    assert events[3].endswith(
        '"usage":{"type":"tokens","input_tokens":30,"output_tokens":4,"total_tokens":34}}'
    )
    assert events[4:] == ["data: [DONE]", ""]


def test_what_the_model_is_asked() -> None:
    _, hearer = ask(form(language="de", prompt="Puna, llama"))
    (order,) = hearer.orders
    system, user = order.messages
    assert (order.model, order.options, order.think_if_able) == ("m", {"temperature": 0}, True)
    assert order.think is not None
    assert order.think.value is False
    assert user.images == [SOUND]
    assert (system.role, user.role) == ("system", "user")
    assert "The language of the recording is de." in system.content
    assert system.content.endswith("Puna, llama")


REFUSED: dict[str, tuple[bytes, dict[str, str], str, str | None]] = {
    "no form": (b"{}", {"content-type": "application/json"}, "failed to parse multipart", None),
    "nothing": (b"", {}, "failed to parse multipart form: ", None),
    "no boundary": (form(), {"content-type": "multipart/form-data"}, "Missing boundary", None),
    "damaged": (b"--y\r\nhello", FORM, "failed to parse multipart form: ", None),
    "cut off": (form()[:-8], FORM, "failed to parse multipart form: it is cut off", None),
    "empty": (b"", FORM, "failed to parse multipart form: it is cut off", None),
    "two files": (form().removesuffix(b"--x--\r\n") + form(), FORM, "Too many files", None),
    "a large field": (form(prompt="x" * 300_000), FORM, "Part exceeded maximum size", None),
    "many fields": (form(**{f"f{n}": "" for n in range(70)}), FORM, "Too many fields", None),
    "no model": (form(model=" "), FORM, "model is required", "model"),
    "no file": (form(None), FORM, "file is required: ", "file"),
    "a file as text": (form(None, file="hello"), FORM, "file is required: ", "file"),
    "an empty file": (form(b""), FORM, "audio file is empty", "file"),
    "an image": (form(make_image()), FORM, "the file is an image", "file"),
    "a text": (form(b"hello"), FORM, "nor a WAV, MP3, FLAC or Ogg recording", None),
    "a browser's": (form(b"\x1a\x45\xdf\xa3"), FORM, "WebM or Matroska, which is not", None),
    "a timed stream": (
        form(response_format="srt", stream="true"),
        FORM,
        "response_format srt cannot be streamed",
        "response_format",
    ),
    "a long language": (form(language="x" * 65), FORM, "more than 64 characters", "language"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    body, headers, text, param = REFUSED[name]
    reply, hearer = ask(body, headers=headers)
    error = reply.json["error"]
    assert (reply.status, error["param"], hearer.orders) == (400, param, [])
    assert text in error["message"]


def test_how_long_noise_is_is_not_looked_for_to_its_end() -> None:
    """Its bytes could each begin a frame: looking at all would take the server's processor."""
    noise = b"\xff\xfb\x90\x00" + b"\xff" * 1_000_000
    reply, hearer = ask(form(noise, response_format="srt"))
    assert (reply.status, hearer.orders) == (400, [])
    assert "the recording cannot be read: no header is found" in reply.json["error"]["message"]
    assert ask(form(noise))[0].status == 200  # then the model's own reader looks at it


@pytest.mark.parametrize("path", [*WRITES, SPEAKS])
def test_the_whole_form_is_read_first(path: str) -> None:
    async def scene() -> None:
        app = client()
        async with app.open("POST", path, headers=FORM, chunks=[b"--y\r\n"] * 50) as call:
            await call.until_sent(1)
            assert call.chunks == []

    run(scene())


@pytest.mark.parametrize("path", [*WRITES, SPEAKS])
@pytest.mark.parametrize("declares", [True, False])
def test_a_form_that_is_too_large_is_not(path: str, declares: bool) -> None:
    """AU-2, where we differ: there is a limit, of 64 MiB."""
    head, tail = form(bytes(4)).split(bytes(4))
    chunks = [head, *[b"x" * (UPLOAD_LIMIT // 4)] * 5, tail]
    length = {"content-length": str(5 * UPLOAD_LIMIT // 4)} if declares else {}
    reply = run(client().request("POST", path, headers=FORM | length, chunks=chunks))
    assert reply.status == 413
    assert reply.header("connection") == "close"


def test_nothing_speaks() -> None:
    reply = run(client().request("POST", SPEAKS, {"model": "m", "input": "hi"}))
    error = reply.json["error"]
    assert (reply.status, error["type"], error["code"]) == (501, "api_error", "not_implemented")
    assert "no models that speak are supported yet" in error["message"]


def test_what_stands_behind_a_form_does_not_matter() -> None:
    for body in (form().removesuffix(b"\r\n"), form() + b"an epilogue"):
        assert ask(body)[0].json == {"text": TEXT}
