"""Tags for images: prompting spec, section 2.2."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from puna.api.fields import MediaData
from puna.api.requests import Message
from puna.prompt.assemble import fit_messages
from puna.prompt.layer import LayerTemplate
from puna.prompt.media import media_of, tag_media


def message(content: str, *images: bytes, role: str = "user") -> Message:
    return Message(role=role, content=content, images=[MediaData(image) for image in images])


TWO = (b"a", b"b")
SIZE = 100  # tokens of an image
TEXTS: dict[str, tuple[str, tuple[bytes, ...], str, str]] = {
    "no image": ("hi [img]", (), "hi [img]", "hi [img]"),
    "one": ("hi", (b"a",), "[img-0]hi", "[img-0] hi"),
    "two": ("describe", TWO, "[img-0][img-1]describe", "[img-0][img-1] describe"),
    "a place for one of two": (
        "compare [img]",
        TWO,
        "[img-1]compare [img-0]",
        "[img-1] compare [img-0]",
    ),
    "a place too many": ("[img] or [img]", (b"a",), "[img-0] or [img]", "[img-0] or [img]"),
    "an image alone": ("", (b"a",), "[img-0]", "[img-0]"),
    "space at the beginning": ("\nhi", (b"a",), "[img-0]\nhi", "[img-0]\nhi"),
    "tags already": ("hi [img-0]", (b"a",), "[img-0]hi [img-0]", "hi [img-0]"),
}


@pytest.mark.parametrize(("text", "images", "plain", "spaced"), TEXTS.values(), ids=TEXTS)
def test_one_message(text: str, images: tuple[bytes, ...], plain: str, spaced: str) -> None:
    for for_renderer, expected in ((False, plain), (True, spaced)):
        (tagged,) = tag_media([message(text, *images)], for_renderer=for_renderer)
        assert tagged.content == expected
        assert tagged.images == list(images)


def test_numbers_go_on_over_all_messages() -> None:
    chat = [message("one", b"a"), message("ok", role="assistant"), message("[img-7]", *TWO)]
    assert [each.content for each in tag_media([*chat, message("x", b"d")], for_renderer=True)] == [
        "[img-0] one",
        "ok",
        "[img-7]",
        "[img-3] x",
    ]
    assert media_of(chat) == [b"a", b"a", b"b"]
    assert chat[0].content == "one"


def test_neighbours_in_a_go_template() -> None:
    chat = [message("text"), message("", b"a"), message("", b"b")]
    template = LayerTemplate.parse("{{ range .Messages }}<{{ .Role }}>{{ .Content }}{{ end }}")
    made = template.render_chat(tag_media(chat, for_renderer=False))
    assert made == "<user>text\n\n[img-0]\n\n[img-1]"


@pytest.mark.parametrize(
    ("limit", "made", "images"),
    [
        (2 * SIZE + 3, "[img-0]one two [img-1]three", (b"a", b"b")),
        (2 * SIZE + 2, "two [img-0]three", (b"b",)),
        (SIZE + 1, "[img-0]three", (b"b",)),
        (1, "[img-0]three", (b"b",)),
    ],
)
def test_images_of_dropped_messages_go_and_numbers_begin_anew(
    limit: int, made: str, images: tuple[bytes, ...]
) -> None:
    chat = [message("one", b"a"), message("two", role="assistant"), message("three", b"b")]

    async def render(kept: list[Message]) -> str:
        return " ".join(each.content for each in tag_media(kept, for_renderer=False))

    async def count(prompt: str, images: Sequence[MediaData]) -> int:
        return len(prompt.split()) + SIZE * len(images)

    fitted = asyncio.run(fit_messages(chat, render, count, limit))
    assert (fitted.text, fitted.images) == (made, images)
    assert fitted.is_cut == ("one" not in made)
