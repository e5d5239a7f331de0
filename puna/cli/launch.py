"""`puna launch [INTEGRATION] [-- EXTRA_ARGS...]`: set another program up to use Puna, and run it.

Facts: CLI spec, section 4.1.
"""

from __future__ import annotations

import textwrap

import click

from puna.cli.command import command, option
from puna.cli.pull import pull
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest
from puna.launch.ask import Declined, TerminalConsole
from puna.launch.flow import Picker, Request, Session, launch
from puna.launch.place import make_place
from puna.launch.registry import NAMES, find_integration
from puna.launch.setup import restore as put_back
from puna.term.present import is_at_terminal

__all__ = ["COMMAND"]


@command(
    "launch",
    usage="[INTEGRATION] [-- [EXTRA_ARGS...]]",
    variables=("OLLAMA_HOST", "PUNA_HOME"),
    completes=("integration",),
    takes_rest=True,
    epilog="Integrations:\n" + textwrap.indent(textwrap.fill(", ".join(NAMES), 76), "  "),
    help="Launch the menu, or another program with a model",
)
@option("--model", help="Model to use")
@option("--config", kind="bool", help="Configure without launching")
@option("--restore", kind="bool", help="Put back the configuration of before")
@option("-y", "--yes", kind="bool", help="Answer every question with yes")
@click.pass_context
def COMMAND(
    ctx: click.Context,
    words: tuple[str, ...],
    rest: tuple[str, ...] | None,
    model: str,
    config: bool,
    restore: bool,
    yes: bool,
) -> None:
    name = _only_name(words, has_rest=rest is not None)
    if not name:
        if model or config or restore or yes or rest:
            raise BadRequest(
                "flags and extra args require an integration name, for example: "
                "'puna launch claude --model qwen3.5'"
            )
        root = ctx.find_root().command
        with root.make_context("puna", []) as menu:
            root.invoke(menu)
        return
    integration = find_integration(name)
    settings = read_settings()
    place = make_place(settings)
    is_terminal = is_at_terminal()
    console = TerminalConsole(is_terminal=is_terminal, answers_yes=yes)
    if restore:
        if model or config or rest:
            raise BadRequest("--restore cannot be combined with --model, --config, or extra args")
        put_back(integration, place, console)
        return
    request = Request(model, config, rest or ())
    with connect(settings) as client:

        def fetch(missing: str) -> None:
            pull(client, missing, insecure=False)

        try:
            launch(Session(client, place, console, make_picker, fetch), integration, request)
        except Declined:
            return


def _only_name(words: tuple[str, ...], *, has_rest: bool) -> str:
    """The integration's name, "" if none is given. Raises BadRequest for more than one."""
    if len(words) <= 1:
        return words[0] if words else ""
    if has_rest:
        raise BadRequest(f"expected at most 1 integration name before '--', got {len(words)}")
    raise BadRequest(
        f"unexpected arguments: [{' '.join(words[1:])}]\n"
        "Use '--' to pass extra arguments to the integration"
    )


def make_picker() -> Picker:
    """How models are picked here."""
    # The line editor takes as long to import as all the rest.
    from puna.launch.picker import TerminalPicker  # noqa: PLC0415 - see above

    return TerminalPicker()
