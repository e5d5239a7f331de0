"""Images and recordings by their path in a prompt, typed or dropped on the terminal.
Facts: CLI spec, section 2.8.

Paths are looked for where an ending is found, so that a long text costs no more than reading it.
"""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from puna.api.media import kind_of_image, kind_of_sound
from puna.client.replies import ShowReply
from puna.errors import ClientError
from puna.term.safe import write_safely

__all__ = ["Prompt", "mark_of", "read_files", "starts_with_file", "takes_files"]

_MOST_BYTES = 100 * 1024 * 1024
_LONGEST = 4096  # characters of a path
_MOST_STARTS = 64  # places where the path of one ending may begin
_ENDING = re.compile(r"\.(?:jpe?g|png|webp|wav|mp3|flac|ogg)\b", re.IGNORECASE)
_SOUNDS = {".wav", ".mp3", ".flac", ".ogg"}
_START = re.compile(r"(?:file://|[A-Za-z]:|~)?(?:\.{1,2})?[/\\]")
_ESCAPED = re.compile(r"\\([ ()\[\]{}$&;'\\*?~])")


@dataclass(slots=True)
class Prompt:
    """A prompt's text without the paths of its files, and these as base64."""

    text: str
    images: list[str] = field(default_factory=list)


def takes_files(info: ShowReply) -> bool:
    """Whether a model can be shown images, or hear recordings."""
    return (
        not {"vision", "audio"}.isdisjoint(info.capabilities)
        or bool(info.projector_info)
        or any(".vision." in key for key in info.model_info)
    )


def read_files(text: str) -> Prompt:
    """Take the images and recordings that a prompt names out of its text, and say so on stderr.

    A path where no file is stays in the text. Raises ClientError for a file that is neither.
    """
    kept: list[str] = []
    images: list[str] = []
    done = looked = 0
    for ending in _ENDING.finditer(text):
        found = _find(text, looked, ending.end())
        looked = ending.end()
        if found is None:
            continue
        start, path = found
        data = _read(path)
        images.append(base64.b64encode(data).decode())
        noun = "audio" if kind_of_sound(data) else "image"
        write_safely(sys.stderr, f"Added {noun} '{path}'\n")
        end = ending.end()
        if start > done and text[start - 1] in "'\"" and text[end : end + 1] == text[start - 1]:
            start, end = start - 1, end + 1
        kept.append(text[done:start])
        done = looked = end
    if not images:
        return Prompt(text)
    return Prompt("".join([*kept, text[done:]]).strip(), images)


def starts_with_file(text: str) -> bool:
    """Whether a text begins with the path of such a file that is there, and so is no command."""
    ending = _ENDING.search(text)
    found = _find(text, 0, ending.end()) if ending else None
    return found is not None and found[0] == 0


def mark_of(text: str) -> Literal["Image", "Audio"] | None:
    """What kind of file a text is the path of, and nothing else; None where it is none, or no file
    is there."""
    plain = text.strip("'\"")
    ending = next((each for each in _ENDING.finditer(plain) if each.end() == len(plain)), None)
    found = _find(plain, 0, len(plain)) if ending else None
    if ending is None or found is None or found[0] != 0:
        return None
    return "Audio" if ending[0].lower() in _SOUNDS else "Image"


def _find(text: str, first: int, end: int) -> tuple[int, Path] | None:
    """Where the longest path that ends here begins, and the file; None where no file is."""
    line = text.rfind("\n", first, end) + 1
    first = max(first, line, end - _LONGEST)
    for number, start in enumerate(_START.finditer(text, first, end)):
        if number == _MOST_STARTS:
            break
        for path in _readings(text[start.start() : end]):
            if _is_file(path):
                return start.start(), path
    return None


def _readings(written: str) -> list[Path]:
    """What a path may mean: as it is written, as a shell or a browser would have escaped it."""
    if written.startswith("file://"):
        return [Path(unquote(written.removeprefix("file://")))]
    plain, unescaped = Path(written), Path(_ESCAPED.sub(r"\1", written))
    return [each.expanduser() if written[0] == "~" else each for each in (plain, unescaped)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ClientError("file size exceeds maximum limit (100MB)")
        data = path.read_bytes()
    except OSError as error:
        raise ClientError(f'Couldn\'t process file: "{error}"') from error
    if kind_of_image(data) not in {"jpeg", "png", "webp"} and kind_of_sound(data) is None:
        raise ClientError(f'Couldn\'t process file: "invalid file type: {_kind(data)}"')
    return data


def _kind(data: bytes) -> str:
    """The kind of a file that is neither, in the words of browsers."""
    head = data[:512]
    if any(byte < 9 or 13 < byte < 32 for byte in head):
        return "application/octet-stream"
    return "text/plain; charset=utf-8"
