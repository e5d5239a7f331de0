"""Where images and recordings stand in prompts: tags `[img-0]`, `[img-1]` and so on for both, which
the runner replaces.

Facts: prompting spec, section 2.2. Also templates of models that know parts of messages get the
tags as text: the marks around an image, as the model knows them, come with the image itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from puna.api.fields import MediaData
from puna.api.requests import Message

__all__ = ["media_of", "tag_media"]

_PLACE = "[img]"
_TAG = "[img-"


def media_of(messages: Sequence[Message]) -> list[MediaData]:
    """All images and recordings of a chat, in the order in which they are numbered."""
    return [image for message in messages for image in message.images]


def tag_media(messages: Sequence[Message], *, for_renderer: bool) -> list[Message]:
    """The messages with tags in their texts, numbered from 0 over all of them.

    A tag takes the place of the next `[img]` in its message, or comes before the text where there
    is none. `for_renderer`: a text that has tags already is left as it is, and between tags and
    text there is a space.
    """
    tagged = []
    number = 0
    for message in messages:
        count = len(message.images)
        if count and not (for_renderer and _TAG in message.content):
            content = _tag(message.content, number, count, spaced=for_renderer)
            message = replace(message, content=content)
        number += count
        tagged.append(message)
    return tagged


def _tag(text: str, first: int, count: int, *, spaced: bool) -> str:
    prefix = ""
    for number in range(first, first + count):
        tag = f"{_TAG}{number}]"
        if _PLACE in text:
            text = text.replace(_PLACE, tag, 1)
        else:
            prefix += tag
    gap = " " if spaced and prefix and text and not text[0].isspace() else ""
    return prefix + gap + text
