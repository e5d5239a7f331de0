"""Parts of a message's or a tool's content. Facts: compatibility spec, 6.2 and 9.6."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from puna.api.fields import ImageData
from puna.errors import InvalidField
from puna.server.openai.messages import read_image

__all__ = ["read_content"]

_TEXTS = {"input_text", "output_text", "text", "summary_text", "reasoning_text"}
_MOST_FILE_BYTES = 8 * 1024 * 1024


def read_content(value: Any, place: str, name: str) -> tuple[str, list[ImageData]]:
    """Text and images of a text or a list of parts. Raises InvalidField.

    `place` is the item's (`input[3]`), `name` the list's: `content` or `output`.
    """
    if value is None:
        return "", []
    if isinstance(value, str):
        return value, []
    if not isinstance(value, list):
        raise InvalidField(f"{place}: {name} must be a string or array", f"{place}.{name}")
    texts: list[str] = []
    images: list[ImageData] = []
    for number, part in enumerate(value):
        match _read_part(part, f"{place}: {name}[{number}]", f"{place}.{name}[{number}]"):
            case ImageData() as image:
                images.append(image)
            case str() as text:
                texts.append(text)
    return "".join(texts), images


def _read_part(part: Any, place: str, param: str) -> str | ImageData | None:
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
        case {"type": "input_file"}:
            return _read_file(part, place, param)
        case {"type": str(kind)}:
            raise InvalidField(f"{place}: unknown content type: {kind[:40]}", param)
    raise InvalidField(f"{place}: a part must be an object with a type", param)


def _read_file(part: dict[str, Any], place: str, param: str) -> str:
    """A text file becomes text under its name."""
    match part:
        case {"file_data": str(data)} if data.startswith("data:text/") or ":" not in data[:40]:
            pass
        case _:
            raise InvalidField(
                f"{place}: file inputs are not currently supported, except texts in file_data",
                param,
                "unsupported_value",
            )
    if len(data) > _MOST_FILE_BYTES * 4 // 3:
        raise InvalidField(f"{place}: a file has at most {_MOST_FILE_BYTES} bytes", param)
    try:
        raw = base64.b64decode(data.partition(",")[2] or data, validate=True)
        text = raw.decode()
    except (binascii.Error, ValueError):
        message = f"{place}: file_data is no text in UTF-8, as base64"
        raise InvalidField(message, param, "unsupported_value") from None
    name = part.get("filename")
    return f"{name}\n{text}\n" if isinstance(name, str) and name else text
