"""Parts of a message's or a tool's content. Facts: compatibility spec, 6.2 and 9.6."""

from __future__ import annotations

from typing import Any

from puna.api.fields import MediaData
from puna.errors import InvalidField
from puna.server.openai.messages import read_audio, read_image
from puna.server.text_files import read_text_file, shown_name

__all__ = ["read_content"]

_TEXTS = {"input_text", "output_text", "text", "summary_text", "reasoning_text"}


def read_content(value: Any, place: str, name: str) -> tuple[str, list[MediaData]]:
    """Text and media of a text or a list of parts. Raises InvalidField.

    `place` is the item's (`input[3]`), `name` the list's: `content` or `output`.
    """
    if value is None:
        return "", []
    if isinstance(value, str):
        return value, []
    if not isinstance(value, list):
        raise InvalidField(f"{place}: {name} must be a string or array", f"{place}.{name}")
    texts: list[str] = []
    images: list[MediaData] = []
    for number, part in enumerate(value):
        match _read_part(part, f"{place}: {name}[{number}]", f"{place}.{name}[{number}]"):
            case MediaData() as image:
                images.append(image)
            case str() as text:
                texts.append(text)
    return "".join(texts), images


def _read_part(part: Any, place: str, param: str) -> str | MediaData | None:
    match part:
        case {"type": str(kind), "text": str(text)} if kind in _TEXTS:
            return text
        case {"type": "refusal", "refusal": str(text)}:
            return text
        case {"type": "input_image", "image_url": str(url)}:
            return read_image(url, param)
        case {"type": "input_image", "image_url": other} if other is not None:
            raise InvalidField(f"{place}: image_url must be a string", param)
        case {"type": "input_image"}:
            return None  # a file of the vendor's, which nobody here has
        case {"type": "input_audio"}:
            return read_audio(part.get("input_audio"), param)
        case {"type": "input_file"}:
            return _read_file(part, place, param)
        case {"type": str(kind)}:
            raise InvalidField(f"{place}: unknown content type: {kind[:40]}", param)
    raise InvalidField(f"{place}: a part must be an object with a type", param)


def _read_file(part: dict[str, Any], place: str, param: str) -> str:
    """A text file becomes text under its name."""
    data = part.get("file_data")
    if not isinstance(data, str):
        raise InvalidField(
            f"{place}: files are not kept here or fetched: send file_data",
            param,
            "unsupported_value",
        )
    text = read_text_file(data, param)
    name = shown_name(part.get("filename"))
    return f"{name}\n{text}\n" if name else text
