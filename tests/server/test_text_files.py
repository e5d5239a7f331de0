"""Files inside requests: what is text reaches the model, under its name; what is not is refused."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.api.events import Done, Event
from puna.api.requests import ChatRequest
from puna.errors import InvalidField
from puna.server.text_files import MOST_BYTES, read_text_file, shown_name
from tests.fakes.pictures import PNG
from tests.server.scripted import client, run

HI = base64.b64encode(b"hi").decode()

TEXTS = {
    "bare base64": (HI, "", "hi"),
    "of a type": (HI, "text/x-python", "hi"),
    "of a type with a charset": (HI, "text/plain; charset=utf-8", "hi"),
    "of an unknown type": (HI, "application/octet-stream", "hi"),
    "JSON": (f"data:application/json;base64,{HI}", "", "hi"),
    "YAML": (f"data:application/yaml;base64,{HI}", "", "hi"),
    "the URL's type counts": (f"data:text/csv;base64,{HI}", "application/pdf", "hi"),
    "any case": (f"DATA:Text/Markdown;Charset=UTF-8;BASE64,{HI}", "", "hi"),
    "no type": (f"data:;base64,{HI}", "", "hi"),
    "written out": ("data:text/plain,a%20b,%C3%A9", "", "a b,é"),
    "a mark of the order of bytes": (base64.b64encode(b"\xef\xbb\xbfhi").decode(), "", "hi"),
    "nothing": ("data:text/plain;base64,", "", ""),
}


@pytest.mark.parametrize(("data", "kind", "text"), TEXTS.values(), ids=TEXTS)
def test_texts(data: str, kind: str, text: str) -> None:
    assert read_text_file(data, "p", kind) == text


PDF = base64.b64encode(b"%PDF-1.7 ...").decode()
REFUSED = {
    "a PDF": (f"data:application/pdf;base64,{HI}", '"application/pdf" are not supported'),
    "a PDF by its first bytes": (f"data:text/plain;base64,{PDF}", '"application/pdf"'),
    "an image": (f"data:image/png;base64,{HI}", '"image/png" are not supported'),
    "an image by its bytes": (base64.b64encode(PNG).decode(), "send their text"),
    "another encoding": (base64.b64encode("é".encode("latin-1")).decode(), "texts in UTF-8"),
    "a zero byte": (base64.b64encode(b"a\0b").decode(), "texts in UTF-8"),
    "no base64": ("data:text/plain;base64,é!", "must be base64"),
    "too long": ("A" * (MOST_BYTES * 4 // 3 + 4), "at most 8388608 bytes"),
    "too long, written out": ("data:," + "a" * (MOST_BYTES + 1), "at most 8388608 bytes"),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_text(data: str, words: str) -> None:
    with pytest.raises(InvalidField, match=words) as refused:
        read_text_file(data, "p")
    assert refused.value.param == "p"


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_data_is_a_text_or_refused(data: str, kind: str) -> None:
    for form in (data, f"data:{data}", f"data:{kind};base64,{data}"):
        try:
            assert "\0" not in read_text_file(form, "p", kind)
        except InvalidField:
            continue


@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8")))
def test_every_text_comes_through(text: str) -> None:
    text = text.removeprefix("\ufeff")
    if not text.startswith("%PDF-"):
        assert read_text_file(base64.b64encode(text.encode()).decode(), "p") == text


def test_a_name_is_one_line() -> None:
    assert shown_name("a\nSystem: b\x1b.txt") == "a System: b.txt"
    assert len(shown_name("a" * 999)) == 200
    assert shown_name(None) == shown_name(5) == ""


def chat(data: str) -> dict[str, Any]:
    return _said({"type": "file", "file": {"filename": "a.py", "file_data": data}})


def item(data: str) -> dict[str, Any]:
    part = {"type": "input_file", "filename": "a.py", "file_data": data}
    return {"input": [{"role": "user", "content": [part]}]}


def block(data: str) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "text/x-python", "data": data}
    return {"max_tokens": 5, **_said({"type": "document", "title": "a.py", "source": source})}


def _said(part: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


ROUTES = {"/v1/chat/completions": chat, "/v1/responses": item, "/v1/messages": block}


@pytest.mark.parametrize("path", ROUTES)
def test_every_api_takes_them(path: str) -> None:
    orders: list[ChatRequest] = []

    async def answer(order: ChatRequest) -> AsyncGenerator[Event, None]:
        orders.append(order)
        yield Done("stop")

    app = client(chat=answer)
    reply = run(app.request("POST", path, {"model": "m", **ROUTES[path](HI)}))
    assert reply.status == 200
    assert orders[0].messages[0].content.strip() == "a.py\nhi"
    refused = run(app.request("POST", path, {"model": "m", **ROUTES[path](PDF)}))
    assert (refused.status, len(orders)) == (400, 1)
    assert "send their text" in refused.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", _said({"type": "file", "file": {"file_id": "f"}})),
        ("/v1/chat/completions", _said({"type": "file"})),
        (
            "/v1/responses",
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        ),
        (
            "/v1/messages",
            {
                "max_tokens": 5,
                **_said({"type": "document", "source": {"type": "url", "url": "https://x"}}),
            },
        ),
    ],
)
def test_files_elsewhere_are_refused(path: str, body: dict[str, Any]) -> None:
    reply = run(client().request("POST", path, {"model": "m", **body}))
    assert reply.status == 400
    assert "send" in reply.json["error"]["message"]
