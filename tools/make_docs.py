"""Rewrites the parts of docs/ that come from code: `python -m tools.make_docs`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from puna.cli.main import COMMANDS, Root
from puna.config import Settings
from puna.metrics import FAMILIES
from tools.architectures import architectures_table
from tools.make_dashboard import DASHBOARD, written

DOCS = Path(__file__).resolve().parents[1] / "docs"
OPERATIONS = DOCS / "operations.md"
CLI = DOCS / "cli.md"
CONVERSION = DOCS / "conversion.md"


def settings_table() -> str:
    """The table of environment variables, from the fields of Settings."""
    rows = [
        f"| `{spec.metadata['env']}` | {spec.metadata['about']} |"
        for spec in dataclasses.fields(Settings)
        if "env" in spec.metadata
    ]
    return "\n".join(["| variable | meaning |", "|---|---|", *sorted(rows)])


def metrics_table() -> str:
    """The table of what `/metrics` tells."""
    rows = [
        f"| `{each.full}` | {each.kind} | {', '.join(each.labels)} | {each.about} |"
        for each in FAMILIES
    ]
    return "\n".join(["| metric | kind | labels | what it is |", "|---|---|---|---|", *rows])


def help_pages() -> str:
    """What `--help` says, of the program and of each command."""
    root = Root("puna")
    context = click.Context(root, info_name="puna")
    parts = [f"```\n{root.get_help(context)}```\n"]
    commands = {name: root.get_command(context, name) for name in COMMANDS}
    for name, found in commands.items():
        if found is None:
            continue
        inner = click.Context(found, info_name=name, parent=context)
        parts.append(f"### puna {name}\n\n```\n{found.get_help(inner)}```\n")
    return "\n".join(parts)


def with_help(text: str) -> str:
    """The page of the command line with its generated part made anew."""
    start, end = "<!-- help -->\n", "<!-- end -->"
    before, after = text.split(start)[0], text.split(end)[-1]
    return f"{before}{start}{help_pages()}{end}{after}"


def with_architectures(text: str) -> str:
    """The page of conversion with its list of architectures made anew."""
    start, end = "<!-- architectures -->\n", "<!-- end -->"
    before, rest = text.split(start)
    return f"{before}{start}{architectures_table()}\n{end}{rest.split(end, 1)[1]}"


def with_tables(text: str) -> str:
    """The page with its generated parts made anew."""
    for name, table in (("settings", settings_table), ("metrics", metrics_table)):
        start, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, rest = text.split(start)
        text = f"{before}{start}{table()}\n{end}{rest.split(end, 1)[1]}"
    return text


if __name__ == "__main__":
    OPERATIONS.write_text(with_tables(OPERATIONS.read_text()))
    CLI.write_text(with_help(CLI.read_text()))
    CONVERSION.write_text(with_architectures(CONVERSION.read_text()))
    DASHBOARD.write_text(written())
