"""`puna __complete WORD...`: what may stand in place of the last word, a candidate a line, perhaps
with a tab and a description; `:files` stands for the shell's own files. Never says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from puna.cli.command import Command, command, flag_of
from puna.client.client import Client
from puna.config import read_settings
from puna.errors import PunaError

__all__ = ["COMMAND"]

FILE_FLAGS = {"file", "imatrix"}
MODEL_FLAGS = {"model"}
VALUES = {
    "format": ("json",),
    "think": ("true", "false", "high", "medium", "low", "max"),
    "quantize": ("q4_K_M", "q5_K_M", "q6_K", "q8_0"),
}


@command("__complete", variables=(), passes_through=True, help="Complete a word (internal)")
@click.pass_context
def COMMAND(ctx: click.Context, words: tuple[str, ...]) -> None:
    group = ctx.find_root().command
    if not isinstance(group, click.Group):
        return
    typed = words[-1] if words else ""
    for text in candidates(group, ctx, words[:-1], typed):
        if text == ":files" or text.startswith(typed):
            click.echo(text)


def candidates(
    group: click.Group, ctx: click.Context, before: Sequence[str], typed: str
) -> Iterator[str]:
    """What may come after the words `before`, when it begins with `typed`."""
    names = [word for word in before if not word.startswith("-")]
    if not names:
        yield from ["--version", "--help"] if typed.startswith("-") else group.list_commands(ctx)
        return
    found = group.get_command(ctx, names[0])
    if not isinstance(found, Command) or "--" in before:
        return
    flags = [(flag_of(item), item.help or "") for item in found.options()]
    spelled = {f"--{flag.name}": flag for flag, _ in flags} | {f"-{f.short}": f for f, _ in flags}
    last = spelled.get(before[-1])
    if typed.startswith("--") and "=" in typed:
        name = typed[2:].partition("=")[0]
        yield from (f"--{name}={value}" for value in VALUES.get(name, ()))
    elif typed.startswith("-"):
        yield from (f"--{flag.name}\t{about}" for flag, about in flags)
    elif last is not None and last.kind != "bool" and last.bare is None:
        if last.name in MODEL_FLAGS:
            yield from _models(loaded=False)
        yield from [":files"] if last.name in FILE_FLAGS else VALUES.get(last.name, ())
    else:
        yield from _words(_kind(found.completes, len(names) - 1), group, ctx)


def _kind(kinds: Sequence[str], position: int) -> str:
    """What a word at this position is."""
    if position < len(kinds):
        return kinds[position].rstrip("*")
    return kinds[-1].rstrip("*") if kinds and kinds[-1].endswith("*") else ""


def _words(kind: str, group: click.Group, ctx: click.Context) -> Iterator[str]:
    match kind:
        case "command":
            yield from group.list_commands(ctx)
        case "file":
            yield ":files"
        case "integration":
            yield from _integrations()
        case "model" | "loaded":
            yield from _models(loaded=kind == "loaded")
        case _ if "|" in kind:
            yield from kind.split("|")


def _integrations() -> Iterator[str]:
    """What `puna launch` knows, with a line on each."""
    from puna.launch.registry import all_integrations  # noqa: PLC0415 - many modules, rarely needed

    return (f"{one.name}\t{one.about}" for one in all_integrations())


def _models(*, loaded: bool) -> list[str]:
    """Names of models, without `:latest`."""
    try:
        settings = read_settings()
        with Client(settings.host, settings.api_key) as client:
            names = [row.name for row in (client.loaded() if loaded else client.models())]
    except (PunaError, OSError):
        return []
    return [name.removesuffix(":latest") for name in names if name.isprintable()]
