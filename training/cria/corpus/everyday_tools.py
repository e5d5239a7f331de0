"""Tools as developers write them, with natural requests: read from `tables/tools.txt`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import cast, get_args

from training.cria.corpus.held_words import HELD_WORDS
from training.cria.corpus.tool_words import Arg, ArgKind, Real

__all__ = ["argument_names", "everyday"]

_FOLDER = Path(__file__).parent / "tables"


@cache
def everyday() -> tuple[Real, ...]:
    """The tools of the table. Raises ValueError for an entry that is not whole."""
    blocks = (_FOLDER / "tools.txt").read_text(encoding="ascii").split("\n\n")
    return tuple(_tool(block) for block in blocks if block.strip())


def _tool(block: str) -> Real:
    names: tuple[str, ...] = ()
    about = ""
    args: list[Arg] = []
    asks: list[str] = []
    for line in block.strip().splitlines():
        word, _, rest = line.partition(": ")
        match word:
            case "tool":
                names = tuple(name.strip() for name in rest.split(","))
            case "about":
                about = rest.strip()
            case "arg":
                args.append(_argument(rest))
            case "ask":
                asks.append(rest.strip())
            case _:
                raise ValueError(f"not a line of a tool: {line}")
    wanted = {arg.name for arg in args}
    if not (names and about and asks):
        raise ValueError(f"a tool is not whole: {block}")
    if any(set(re.findall(r"\{(\w+)\}", ask)) != wanted for ask in asks):
        raise ValueError(f"a request does not name the arguments: {block}")
    return Real(names, about, tuple(args), tuple(asks))


def _argument(text: str) -> Arg:
    name, kind, about = text.split(" ", 2)
    if kind.startswith("enum:"):
        return Arg(name, "enum", about, tuple(kind.removeprefix("enum:").split("/")))
    return Arg(name, _kind(kind), about)


def _kind(word: str) -> ArgKind:
    if word not in get_args(ArgKind):
        raise ValueError(f"no kind of argument: {word}")
    return cast(ArgKind, word)


@cache
def argument_names() -> tuple[tuple[str, ArgKind], ...]:
    """Names of arguments and their kinds, without those that are held out."""
    lines = (_FOLDER / "argnames.txt").read_text(encoding="ascii").split("\n")
    pairs = (line.split() for line in lines if line.strip())
    return tuple((name, _kind(kind)) for name, kind in pairs if name not in HELD_WORDS)
