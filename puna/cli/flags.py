"""How flags are read: pflag's rules, which users of the reference know, for click's declarations.

Flags may stand among the words, `--` ends them, and errors have the reference's wording.
Facts: CLI spec, section 1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from puna.errors import BadRequest

__all__ = ["Flag", "FlagError", "Value", "parse_flags", "split_command"]

Value = bool | int | str

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_INT_LIMIT = 2**63


class FlagError(BadRequest):
    """A flag that does not exist or a value that does not fit."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `bare` is the value of a flag that stands alone; None: a value must follow."""

    name: str
    kind: Literal["bool", "int", "string"]
    short: str = ""
    bare: str | None = None

    def parse(self, text: str) -> Value:
        """Read a value. Raises FlagError."""
        if self.kind == "string":
            return text
        if self.kind == "bool":
            if text in _TRUE | _FALSE:
                return text in _TRUE
            raise self._bad(text, "ParseBool", "invalid syntax")
        try:
            number = int(text, 10 if text.lstrip("+-").isdigit() else 0)
        except ValueError:
            raise self._bad(text, "ParseInt", "invalid syntax") from None
        if not -_INT_LIMIT <= number < _INT_LIMIT:
            raise self._bad(text, "ParseInt", "value out of range")
        return number

    def _bad(self, text: str, function: str, reason: str) -> FlagError:
        name = f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"
        return FlagError(
            f'invalid argument "{text}" for "{name}" flag: strconv.{function}: '
            f'parsing "{text}": {reason}'
        )


def parse_flags(
    args: Sequence[str], flags: Sequence[Flag]
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Split arguments into the flags given (by long name) and the other words. Raises FlagError."""
    by_name = {flag.name: flag for flag in flags}
    by_letter = {flag.short: flag for flag in flags if flag.short}
    values: dict[str, Value] = {}
    words: list[str] = []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        if arg == "--":
            words += rest
            break
        if arg.startswith("--"):
            _read_long(arg, rest, by_name, values)
        elif arg.startswith("-") and arg != "-":
            _read_short(arg, rest, by_letter, values)
        else:
            words.append(arg)
    return values, tuple(words)


def _read_long(arg: str, rest: list[str], flags: dict[str, Flag], values: dict[str, Value]) -> None:
    name, equals, text = arg[2:].partition("=")
    if not name or name.startswith("-"):
        raise FlagError(f"bad flag syntax: {arg}")
    if name not in flags:
        raise FlagError(f"unknown flag: --{name}")
    flag = flags[name]
    if not equals:
        text = _value_after(flag, rest, f"--{name}")
    values[name] = flag.parse(text)


def _read_short(
    arg: str, rest: list[str], flags: dict[str, Flag], values: dict[str, Value]
) -> None:
    """Read letters, the last of which may have its value attached: `-vf x`, `-fx`, `-f=x`."""
    letters = arg[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in flags:
            raise FlagError(f"unknown shorthand flag: '{letter}' in -{letter}{letters}")
        flag = flags[letter]
        if letters.startswith("=") and len(letters) > 1:
            text, letters = letters[1:], ""
        elif flag.bare is None and letters:
            text, letters = letters, ""
        else:
            text = _value_after(flag, rest, f"'{letter}' in -{letter}{letters}")
        values[flag.name] = flag.parse(text)


def _value_after(flag: Flag, rest: list[str], shown: str) -> str:
    if flag.bare is not None:
        return flag.bare
    if not rest:
        raise FlagError(f"flag needs an argument: {shown}")
    return rest.pop(0)


def split_command(args: Sequence[str], flags: Sequence[Flag]) -> tuple[str, list[str]]:
    """Find the command's name among the arguments and return it with all the others.

    A flag before the name belongs to the command. One that the root does not know, written without
    `=`, is taken to have a value after it.
    """
    alone = {f"--{flag.name}" for flag in flags} | {
        f"-{flag.short}" for flag in flags if flag.short
    }
    position = 0
    while position < len(args):
        arg = args[position]
        if arg == "--":
            break
        if not arg.startswith("-"):
            return arg, [*args[:position], *args[position + 1 :]]
        takes_next = "=" not in arg and (arg.startswith("--") or len(arg) == 2) and arg not in alone
        position += 2 if takes_next else 1
    return "", list(args)
