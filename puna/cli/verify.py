"""`puna verify [MODEL...]`: hash the files of installed models; exit 1 when any is damaged."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import click

from puna.cli.command import command, json_option, option
from puna.cli.follow import progress, telling
from puna.client.start import connect
from puna.client.upkeep import Verdict
from puna.config import read_settings
from puna.term.progress import Bar

__all__ = ["COMMAND"]


@command(
    "verify",
    completes=("model*",),
    usage="[MODEL...]",
    help="Check that the files of models are undamaged",
)
@option("--remove-damaged", kind="bool", help="Delete damaged files, so that they can come anew")
@json_option
def COMMAND(words: tuple[str, ...], remove_damaged: bool, json: bool) -> None:
    verdicts: list[Verdict] = []
    with (
        connect(read_settings()) as client,
        progress(as_json=json) as shown,
        closing(client.verify(list(words), remove_damaged=remove_damaged)) as steps,
    ):
        bars: dict[str, Bar] = {}
        for step in telling(steps, as_json=json):
            if isinstance(step, Verdict):
                verdicts.append(step)
            elif step.digest:
                if step.digest not in bars:
                    bars[step.digest] = Bar(step.status, step.total)
                    shown.add(bars[step.digest])
                bars[step.digest].set(step.completed)
    for line in () if json else told(verdicts):
        print(line)
    if any(verdict.faults for verdict in verdicts):
        raise click.exceptions.Exit(1)


def told(verdicts: Iterable[Verdict]) -> Iterable[str]:
    """The lines about every model, and how to repair those that are damaged."""
    for verdict in verdicts:
        if not verdict.faults:
            yield f"{verdict.model} is undamaged"
            continue
        yield f"{verdict.model} is damaged"
        for digest, problem in verdict.faults:
            yield f"  {digest}: {problem}" if digest else f"  {problem}"
        yield f"  to repair: {_repair(verdict)}"


def _repair(verdict: Verdict) -> str:
    again = f"`puna pull {verdict.model}`, or create it again from its files"
    if verdict.removed:
        return again
    if not all(digest for digest, _ in verdict.faults):
        return f"`puna rm {verdict.model}`, then {again}"
    return f"`puna verify --remove-damaged {verdict.model}`, then {again}"
