"""The Modelfile: text to commands, character for character as the reference reads it.

Facts: models spec, sections 20.1 to 20.3. What the commands ask for is `create_plan.py`'s subject.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from puna.errors import ModelfileError

__all__ = ["Command", "Modelfile", "parse_modelfile"]

COMMANDS = (
    "from",
    "license",
    "template",
    "system",
    "adapter",
    "draft",
    "renderer",
    "parser",
    "parameter",
    "message",
    "requires",
)
ROLES = ("system", "user", "assistant")

BLANKS = " \t"
SPACES = " \t\r\n"

_SKIPPED = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_LETTERS = re.compile(r"[A-Za-z]*")
_PARAMETER = re.compile(r"[A-Za-z0-9_]*")
_NEWLINE = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name in lower case, or a parameter's own name, and its argument.

    A message's argument is `role: content`.
    """

    name: str
    args: str


@dataclass(frozen=True, slots=True)
class Modelfile:
    """A parsed Modelfile; at least one command is `from`."""

    commands: tuple[Command, ...]


def parse_modelfile(raw: bytes | str) -> Modelfile:
    """Read a Modelfile in UTF-8, or in what its byte-order mark says. Raises ModelfileError."""
    text = _decoded(raw)
    commands = []
    position = _skip(text, 0)
    while position < len(text):
        command, position = _command(text, position)
        commands.append(command)
        position = _skip(text, position)
    if not any(command.name == "from" for command in commands):
        raise ModelfileError("no FROM line")
    return Modelfile(tuple(commands))


def _decoded(raw: bytes | str) -> str:
    if isinstance(raw, str):
        return raw.removeprefix("\ufeff")
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, errors="replace")
    return raw.decode("utf-8", errors="replace")


def _skip(text: str, position: int) -> int:
    """Past blanks, empty lines and comments."""
    match = _SKIPPED.match(text, position)
    return match.end() if match else position


def _command(text: str, position: int) -> tuple[Command, int]:
    """The command that begins at `position`, and where its value ended."""
    word, position = _name(text, position)
    if word == "parameter":
        name, position = _word(text, position, _PARAMETER)
        args, position = _value(text, position)
        return Command(name, args), position
    if word == "message":
        role, position = _word(text, position, _LETTERS)
        if role not in ROLES:
            raise _at(text, position, "message role", ROLES)
        args, position = _value(text, position)
        return Command(word, f"{role}: {args}"), position
    args, position = _value(text, position)
    return Command(word, args), position


def _name(text: str, position: int) -> tuple[str, int]:
    """A command's name, and the place after the blank that ends it."""
    # whatever a line begins with starts a name; what does not print is dropped
    first = text[position] if text[position].isprintable() else ""
    match = _LETTERS.match(text, position + 1)
    word = (first + (match[0] if match else "")).lower()
    end = match.end() if match else len(text)
    if end == len(text):
        raise ModelfileError("unexpected EOF")
    if text[end] not in BLANKS or word not in COMMANDS:
        raise _at(text, end + 1, "command", COMMANDS)
    return word, end + 1


def _word(text: str, position: int, letters: re.Pattern[str]) -> tuple[str, int]:
    """A parameter's name or a role, which may be empty, and the place after its blank."""
    match = letters.match(text, position)
    word = match[0] if match else ""
    end = position + len(word)
    if end == len(text):
        raise ModelfileError("unexpected EOF")
    if text[end] not in BLANKS:
        raise ModelfileError(f"unexpected EOF: {word}")
    return word, end + 1


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that begins at `start`, without its quotes, and the end of its last line.

    A value that opens a quote runs on to the first line end at which the quote is closed.
    """
    end = _line_end(text, start)
    line = _printable(text[start:end]).strip(SPACES)
    mark = next((mark for mark in ('"""', '"') if line.startswith(mark)), "")
    if not mark:
        return line, end
    closed = len(line) >= 2 * len(mark) and line.endswith(mark)
    while not closed:
        if end == len(text):
            raise ModelfileError("unexpected EOF")
        begin, end = end + 1, _line_end(text, end + 1)
        closed = _printable(text[begin:end]).rstrip(SPACES).endswith(mark)
    whole = _printable(text[start:end]).strip(SPACES)
    return whole[len(mark) : -len(mark)], end


def _line_end(text: str, position: int) -> int:
    match = _NEWLINE.search(text, position)
    return match.start() if match else len(text)


def _printable(text: str) -> str:
    """What is left when characters that do not print are dropped, spaces and line ends apart."""
    if text.isprintable():
        return text
    return "".join(char for char in text if char in SPACES or char.isprintable())


def _at(text: str, position: int, what: str, known: tuple[str, ...]) -> ModelfileError:
    """The error for a word that is not one of the known ones, with the line of `position`."""
    line = 1 + len(_NEWLINE.findall(text, 0, position))
    names = [f'"{name}"' for name in known]
    listed = f"{', '.join(names[:-1])}, or {names[-1]}"
    return ModelfileError(f"(line {line}): {what} must be one of {listed}")
