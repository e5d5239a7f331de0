"""The `puna` program: which commands there are, and what happens to errors.

A command's module is imported when it is used: `puna list` must not pay for `puna run`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from puna.cli.command import HELP, Command, describe_flags, flag_of
from puna.cli.flags import parse_flags, split_command
from puna.errors import BadRequest, PunaError, quoted
from puna.term.present import is_at_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "serve": "puna.cli.serve",
    "create": "puna.cli.create",
    "import": "puna.cli.import_model",
    "quantize": "puna.cli.quantize",
    "show": "puna.cli.show",
    "run": "puna.cli.run",
    "stop": "puna.cli.stop",
    "pull": "puna.cli.pull",
    "push": "puna.cli.push",
    "signin": "puna.cli.signin",
    "signout": "puna.cli.signout",
    "login": "puna.cli.login",
    "logout": "puna.cli.logout",
    "list": "puna.cli.list",
    "ps": "puna.cli.ps",
    "cp": "puna.cli.cp",
    "rm": "puna.cli.rm",
    "update": "puna.cli.update",
    "prune": "puna.cli.prune",
    "verify": "puna.cli.verify",
    "launch": "puna.cli.launch",
    "bench": "puna.cli.bench",
    "doctor": "puna.cli.doctor",
    "logs": "puna.cli.logs",
    "service": "puna.cli.service",
    "completion": "puna.cli.completion",
    "help": "puna.cli.help",
}
"""Command name to the module that holds it, in the order of the help."""

HIDDEN = {"runner": "puna.cli.runner", "__complete": "puna.cli.complete"}
"""Commands that the help leaves out."""

ALIASES = {"start": "serve", "ls": "list"}

FLAGS = [
    HELP,
    click.Option(["--json"], is_flag=True, help="Print JSON, with --version"),
    click.Option(["--nowordwrap"], is_flag=True, help="Don't wrap words to the next line"),
    click.Option(["--verbose"], is_flag=True, help="Show timings for the answer"),
    click.Option(["-v", "--version"], is_flag=True, help="Show version information"),
]

SUGGESTION_DISTANCE = 2


class Root(click.Group):
    """`puna` itself: finds the command and hands it everything else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave the arguments to `invoke`."""
        ctx.args = args
        return args

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order in which they are declared."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Command | None:
        """Import the module of a command."""
        name = ALIASES.get(cmd_name, cmd_name)
        module = COMMANDS.get(name) or HIDDEN.get(name)
        if module is None:
            return None
        found = getattr(importlib.import_module(module), "COMMAND", None)
        return found if isinstance(found, Command) else None

    def invoke(self, ctx: click.Context) -> None:
        """Run what the arguments ask for."""
        flags = [flag_of(item) for item in FLAGS]
        name, rest = split_command(ctx.args, flags)
        if not name:
            self._run_alone(ctx, rest)
            return
        found = self.get_command(ctx, name)
        if found is None:
            raise BadRequest(f'unknown command {quoted(name)} for "puna"{suggestions(name)}')
        with found.make_context(found.name, rest, parent=ctx) as inner:
            inner.command.invoke(inner)

    def _run_alone(self, ctx: click.Context, args: Sequence[str]) -> None:
        values, words = parse_flags(args, [flag_of(item) for item in FLAGS])
        if words:
            raise BadRequest(
                f'unknown command {quoted(words[0])} for "puna"{suggestions(words[0])}'
            )
        if values.get("version"):
            importlib.import_module("puna.cli.version").print_versions(
                as_json=bool(values.get("json"))
            )
            return
        # The line editor takes as long to import as all the rest.
        is_help = values.get("help") or not is_at_terminal()
        menu = None if is_help else importlib.import_module("puna.cli.menu")
        if menu is None or not menu.can_be_shown():
            click.echo(self.get_help(ctx), nl=False)
            return
        flags = [f"--{name}" for name in ("nowordwrap", "verbose") if values.get(name)]
        menu.run_menu(self._start, flags)

    def _start(self, words: Sequence[str]) -> None:
        with self.make_context("puna", [*words]) as ctx:
            self.invoke(ctx)

    def get_help(self, ctx: click.Context) -> str:
        """The help text with the list of commands."""
        commands = [(name, self.get_command(ctx, name)) for name in COMMANDS]
        return "\n".join(
            [
                "Large language models on your own machine",
                "",
                "Usage:",
                "  puna [flags]",
                "  puna [command]",
                "",
                "Available Commands:",
                *(f"  {name:<12} {found.help}" for name, found in commands if found),
                "",
                "Flags:",
                *describe_flags(FLAGS, "puna"),
                "",
                'Use "puna [command] --help" for more information about a command.',
                "",
            ]
        )


def suggestions(typed: str) -> str:
    """The lines "Did you mean this?" for an unknown command, or nothing."""
    close = [
        name
        for name in COMMANDS
        if distance(typed.lower(), name) <= SUGGESTION_DISTANCE or name.startswith(typed.lower())
    ]
    if not close:
        return ""
    return "\n\nDid you mean this?\n" + "".join(f"\t{name}\n" for name in close)


def distance(one: str, other: str) -> int:
    """How many letters must be put in, left out or changed to make `one` the `other`."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        previous, row = row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (letter != wanted)))
    return row[-1]


@contextlib.contextmanager
def reporting(*, as_json: bool) -> Iterator[None]:
    """Turn what a command raises into an error line, or a line of JSON, and an exit code."""
    try:
        yield
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except KeyboardInterrupt:
        # Die of the signal, as a program without a handler does: shells look at that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output left; keep the interpreter from failing on it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (PunaError, OSError, UnicodeError) as error:
        print(json.dumps({"error": str(error)}) if as_json else f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def prepare_output() -> None:
    """Make standard output and error take any text, also when they are closed."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Half a surrogate pair in a model's text must not end the answer.
            stream.reconfigure(errors="replace")


def main(args: Sequence[str] | None = None) -> None:
    """Run the program; ends the process with its exit code on errors."""
    prepare_output()
    given = list(sys.argv[1:] if args is None else args)
    # Flags may be what is wrong: this one counts before they are read.
    with reporting(as_json="--json" in itertools.takewhile(lambda arg: arg != "--", given)):
        root = Root("puna")
        with root.make_context("puna", given) as ctx:
            root.invoke(ctx)
        sys.stdout.flush()
