"""A command of `puna`: a click command whose flags, argument counts and help follow the reference.

Facts: CLI spec, section 1.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from puna.cli.flags import Flag, Value, parse_flags
from puna.config import Settings
from puna.errors import BadRequest

__all__ = [
    "Arity",
    "Command",
    "at_least",
    "between",
    "command",
    "exactly",
    "json_option",
    "option",
]

Function = TypeVar("Function", bound=Callable[..., object])

Arity = Callable[[int], str]
"""Takes the number of words and returns what is wrong with it, or nothing."""

KINDS: dict[str, tuple[click.ParamType[Any], Value]] = {
    "bool": (click.BOOL, False),
    "int": (click.INT, 0),
    "string": (click.STRING, ""),
}
"""Kind of flag to its type and its usual default."""

HELP = click.Option(["-h", "--help"], is_flag=True)


def exactly(count: int) -> Arity:
    """Accept `count` words."""
    return lambda given: "" if given == count else f"accepts {count} arg(s), received {given}"


def at_least(count: int) -> Arity:
    """Accept `count` words or more."""
    return lambda given: (
        "" if given >= count else f"requires at least {count} arg(s), only received {given}"
    )


def between(least: int, most: int) -> Arity:
    """Accept `least` to `most` words."""
    return lambda given: (
        ""
        if least <= given <= most
        else f"accepts between {least} and {most} arg(s), received {given}"
    )


def any_number(_: int) -> str:
    """Accept any number of words."""
    return ""


def option(
    *names: str, kind: str = "string", bare: str | None = None, **more: Any
) -> Callable[[Function], Function]:
    """Declare a flag of kind `bool`, `int` or `string`, as `click.option` does.

    `bare` is the value of a string flag that stands alone.
    """
    type_, default = KINDS[kind]
    more.setdefault("default", default)
    if bare is not None:
        more["flag_value"] = bare
    return click.option(*names, type=type_, is_flag=kind == "bool", **more)


json_option = option("--json", kind="bool", help="Print JSON")
"""The flag of commands that print data; docs/cli.md lists what it prints."""


class Command(click.Command):
    """One command: `words` says how many words it takes, `usage` how the help writes them.

    `completes` says what a shell offers for each word (`model`, `loaded`, `integration`, `file`,
    `command`, or the words themselves, `on|off`); the last goes for all further ones when it ends
    in `*`.
    `passes_through`: flags are words. `takes_rest`: what stands behind `--` is no word but comes as
    `rest`, None if there is no `--`.
    """

    def __init__(
        self,
        *args: Any,
        usage: str = "",
        words: Arity = any_number,
        variables: Sequence[str] = ("OLLAMA_HOST",),
        aliases: Sequence[str] = (),
        completes: Sequence[str] = (),
        passes_through: bool = False,
        takes_rest: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.usage = usage
        self.words = words
        self.variables = variables
        self.aliases = aliases
        self.completes = completes
        self.passes_through = passes_through
        self.takes_rest = takes_rest

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags and count the words; `-h` prints the help and ends."""
        options = self.options()
        if self.passes_through:
            ctx.params = {"words": tuple(args)}
            return []
        split = args.index("--") if self.takes_rest and "--" in args else None
        values, words = parse_flags(args[:split], [flag_of(item) for item in options])
        if values.get("help"):
            click.echo(self.get_help(ctx), nl=False)
            ctx.exit()
        if problem := self.words(len(words)):
            raise BadRequest(problem)
        given = {name.replace("-", "_"): value for name, value in values.items() if name != "help"}
        defaults = {item.name: item.default for item in options if item is not HELP}
        ctx.params = {**defaults, **given, "words": words}
        if self.takes_rest:
            ctx.params["rest"] = None if split is None else tuple(args[split + 1 :])
        return []

    def options(self) -> list[click.Option]:
        """The flags in the order of the help: by name."""
        own = [item for item in self.params if isinstance(item, click.Option)]
        return sorted([*own, HELP], key=lambda item: flag_of(item).name)

    def get_help(self, ctx: click.Context) -> str:
        """The help text."""
        path = ctx.command_path
        lines = [self.help or "", "", "Usage:", f"  {path}{self.usage and ' '}{self.usage} [flags]"]
        if self.aliases:
            lines += ["", "Aliases:", f"  {', '.join([self.name or '', *self.aliases])}"]
        lines += ["", "Flags:", *describe_flags(self.options(), self.name or "")]
        if self.epilog:
            lines += ["", self.epilog]
        if self.variables:
            lines += ["", "Environment Variables:", *describe_variables(self.variables)]
        return "\n".join(lines) + "\n"


def command(name: str, **attributes: Any) -> Callable[[Callable[..., None]], Command]:
    """Make a function a Command; it gets each flag by name, and the words as `words`."""
    return click.command(name, cls=Command, **attributes)


def flag_of(item: click.Option) -> Flag:
    """What the parser needs to know of a declaration."""
    long = next(name for name in item.opts if name.startswith("--"))
    short = next((name for name in item.opts if not name.startswith("--")), "")
    if item.is_flag:
        return Flag(long[2:], "bool", short[1:], "true")
    bare = item.flag_value if isinstance(item.flag_value, str) else None
    return Flag(long[2:], "int" if item.type is click.INT else "string", short[1:], bare)


def describe_flags(options: Sequence[click.Option], name: str) -> list[str]:
    """The lines of a help text about flags, in two columns."""
    rows: list[tuple[str, str]] = []
    for item in options:
        flag = flag_of(item)
        short = f"-{flag.short}, " if flag.short else "    "
        kind = "" if flag.kind == "bool" else f" {flag.kind}"
        shown = f"{kind}[={flag.bare}]" if kind and flag.bare else kind
        about = f"help for {name}" if item is HELP else item.help or ""
        rows.append((f"{short}--{flag.name}{shown}", about))
    width = max(len(left) for left, _ in rows)
    return [f"  {left:<{width}}   {right}".rstrip() for left, right in rows]


def describe_variables(names: Sequence[str]) -> list[str]:
    """The lines of a help text about environment variables."""
    known = {
        spec.metadata["env"]: spec.metadata["about"]
        for spec in dataclasses.fields(Settings)
        if "env" in spec.metadata
    }
    return [f"      {name:<27}   {known[name]}" for name in names]
