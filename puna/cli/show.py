"""`puna show MODEL`: a description, or one part of it."""

from __future__ import annotations

import sys

from puna.cli.command import command, exactly, json_option, option
from puna.cli.output import print_object
from puna.client.replies import ShowReply
from puna.client.start import connect
from puna.config import read_settings
from puna.errors import BadRequest, ClientError
from puna.term.details import describe
from puna.term.safe import write_safely

__all__ = ["COMMAND", "NO_IMAGES"]

NO_IMAGES = "image generation models are not currently supported"
ONE_PART = (
    "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' "
    "can be specified"
)


@command(
    "show",
    completes=("model",),
    usage="MODEL",
    words=exactly(1),
    help="Show information for a model",
)
@option("--license", kind="bool", help="Show license of a model")
@option("--modelfile", kind="bool", help="Show Modelfile of a model")
@option("--parameters", kind="bool", help="Show parameters of a model")
@option("--template", kind="bool", help="Show template of a model")
@option("--system", kind="bool", help="Show system message of a model")
@option("-v", "--verbose", kind="bool", help="Show detailed model information")
@json_option
def COMMAND(words: tuple[str, ...], verbose: bool, json: bool, **parts: bool) -> None:
    chosen = [name for name, wanted in parts.items() if wanted]
    with connect(read_settings()) as client:
        if len(chosen) > 1:
            raise BadRequest(ONE_PART)
        reply = client.show(words[0], verbose=verbose)
    if "image" in reply.capabilities:
        raise ClientError(NO_IMAGES)
    if json:
        print_object({name: getattr(reply, name) for name in chosen} if chosen else reply)
        return
    text = part_of(reply, chosen[0]) if chosen else describe(reply, verbose=verbose)
    write_safely(sys.stdout, text)


def part_of(reply: ShowReply, part: str) -> str:
    """One part as text. System and template come without a last newline, as they are stored."""
    match part:
        case "license":
            return reply.license + "\n"
        case "modelfile":
            return reply.modelfile + "\n"
        case "parameters":
            return reply.parameters + "\n"
        case "system":
            return reply.system
        case _:
            return reply.template
