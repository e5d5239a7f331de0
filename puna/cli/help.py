"""`puna help [command]`."""

from __future__ import annotations

import click

from puna.cli.command import command

__all__ = ["COMMAND"]


@command(
    "help", completes=("command",), usage="[command]", variables=(), help="Help about any command"
)
@click.pass_context
def COMMAND(ctx: click.Context, words: tuple[str, ...]) -> None:
    root = ctx.find_root()
    group = root.command
    found = group.get_command(ctx, words[0]) if words and isinstance(group, click.Group) else None
    if words and found is None:
        click.echo(f"Unknown help topic {[*words]}".replace("'", "`"), err=True)
    if found is None:
        click.echo(group.get_help(root), nl=False)
        return
    click.echo(found.get_help(click.Context(found, info_name=found.name, parent=root)), nl=False)
