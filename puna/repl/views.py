"""`/show`: what can be looked at, as a table of rows. Facts: CLI spec, section 2.2."""

from __future__ import annotations

import sys
from collections.abc import Callable

from puna.client.replies import ShowReply
from puna.repl import texts
from puna.repl.session import Session
from puna.term.details import describe, describe_value
from puna.term.safe import write_safely

__all__ = ["VIEWS", "show_something"]


def show_something(session: Session, line: str) -> None:
    """Run a `/show …` line."""
    words = line.split()
    if len(words) == 1:
        print(texts.SHOW, file=sys.stderr)
        return
    function = VIEWS.get(words[1])
    if function is None:
        print(f"Unknown command '/show {words[1]}'. Type /? for help")
        return
    client = session.client
    function(session, client.show(session.model, system=session.system, options=session.options))


def tell(text: str) -> None:
    """Print a line or more that a model's maker wrote."""
    write_safely(sys.stdout, text + "\n")


def info(session: Session, reply: ShowReply) -> None:
    sys.stderr.write(describe(reply))
    sys.stderr.flush()


def license_(session: Session, reply: ShowReply) -> None:
    tell(reply.license or "No license was specified for this model.")


def modelfile(session: Session, reply: ShowReply) -> None:
    tell(reply.modelfile)


def parameters(session: Session, reply: ShowReply) -> None:
    print("Model defined parameters:")
    lines = reply.parameters.splitlines() or [
        "No additional parameters were specified for this model."
    ]
    tell("".join(f"  {line}\n" for line in lines))
    if session.options:
        print("User defined parameters:")
        for name, value in session.options.items():
            print(f"  {name:<30} {_shown(value)}")
        print()


def _shown(value: object) -> str:
    """All of a value: texts that end an answer are not cut as long arrays of metadata are."""
    if isinstance(value, list):
        return f"[{' '.join(map(describe_value, value))}]"
    return describe_value(value)


def system(session: Session, reply: ShowReply) -> None:
    text = session.system or reply.system
    tell(text or "No system message was specified for this model.")


def template(session: Session, reply: ShowReply) -> None:
    tell(reply.template or "No prompt template was specified for this model.")


VIEWS: dict[str, Callable[[Session, ShowReply], None]] = {
    "info": info,
    "license": license_,
    "modelfile": modelfile,
    "parameters": parameters,
    "system": system,
    "template": template,
}
