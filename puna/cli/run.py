"""`puna run MODEL [PROMPT...]`: one answer, or the prompt. Facts: CLI spec, sections 1.6, 1.7."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from puna.cli.command import at_least, command, option
from puna.cli.output import print_line
from puna.cli.pull import pull
from puna.cli.show import NO_IMAGES
from puna.cli.signin import print_sign_in
from puna.client.client import Client
from puna.client.fields import Json
from puna.client.replies import ShowReply
from puna.client.start import connect
from puna.config import Settings, read_settings
from puna.errors import BadRequest, ClientError
from puna.fmt import BadDuration, format_duration, parse_duration
from puna.repl.session import Session, Think
from puna.term.answer import Style, print_answer, summary
from puna.term.keys import keeping_keys
from puna.term.present import is_at_terminal, is_terminal
from puna.term.progress import Progress, Spinner
from puna.term.safe import write_safely

__all__ = ["COMMAND"]

NOT_FOUND = 404
LEVELS = ("high", "medium", "low", "max")
NEEDS_TEXT = 'embedding models require input text. Usage: puna run <model> "your text here"'


@dataclass(frozen=True, slots=True)
class Wishes:
    """The flags of `run`, read."""

    style: Style
    format: object
    think: Think
    keep_alive: object
    truncate: bool | None
    dimensions: int
    as_json: bool
    agent: bool
    allow: str
    resume: str
    tools: str


@command(
    "run",
    completes=("model", ""),
    usage="MODEL [PROMPT...]",
    words=at_least(1),
    variables=("OLLAMA_EDITOR", "OLLAMA_HOST", "OLLAMA_NOHISTORY"),
    help="Run a model",
)
@option("--agent", kind="bool", help="Let the model use tools in this folder, with your approval")
@option("--allow", help="Tools of the agent that need no approval: names by commas, or all")
@option("--dimensions", kind="int", help="Shorten vectors to so many (embedding models only)")
@option("--format", help="Response format (json, or a JSON schema)")
@option("--hidethinking", kind="bool", help="Hide the model's thoughts")
@option("--insecure", kind="bool", help="Use an insecure registry")
@option("--json", kind="bool", help="Print JSON, an object a line")
@option("--keepalive", help="Duration to keep a model loaded (e.g. 5m)")
@option("--nowordwrap", kind="bool", help="Don't wrap words to the next line")
@option("--resume", bare="last", help="Go on with a conversation of the agent")
@option("--think", bare="true", help="Thinking: true or false, or high, medium, low, max")
@option("--tools", help="Tools that the agent has: names by commas (default all)")
@option("--truncate", kind="bool", default=None, help="Cut inputs that are too long")
@option("--verbose", kind="bool", help="Show timings for the answer")
def COMMAND(
    words: tuple[str, ...],
    format: str,
    think: str,
    hidethinking: bool,
    keepalive: str,
    nowordwrap: bool,
    verbose: bool,
    insecure: bool,
    truncate: bool | None,
    dimensions: int,
    json: bool,
    agent: bool,
    allow: str,
    resume: str,
    tools: str,
) -> None:
    wishes = Wishes(
        Style(wrap=not nowordwrap, hide_thinking=hidethinking, verbose=verbose),
        parse_format(format),
        parse_think(think),
        parse_keep_alive(keepalive),
        truncate,
        dimensions,
        json,
        agent,
        allow,
        resume,
        tools,
    )
    model, *prompt = words
    settings = read_settings()
    with connect(settings) as client:
        try:
            run(client, model, prompt, wishes, settings, insecure=insecure)
        except ClientError as error:
            if json or not error.sign_in_url:
                raise
            print_sign_in(error.sign_in_url)


def run(
    client: Client,
    model: str,
    words: Sequence[str],
    wishes: Wishes,
    settings: Settings,
    *,
    insecure: bool,
) -> None:
    """Answer the prompt made of standard input and `words`, or open the prompt."""
    is_interactive = not (words or wishes.as_json) and is_at_terminal()
    prompt = join_prompt(words)
    info = describe(client, model, insecure=insecure, as_json=wishes.as_json)
    if "embedding" in info.capabilities:
        embed(client, model, prompt, wishes)
    elif "image" in info.capabilities:
        raise ClientError(NO_IMAGES)
    elif wishes.agent or wishes.allow or wishes.resume or wishes.tools:
        work(make_session(client, model, info, wishes), settings, wishes, prompt, is_interactive)
    elif is_interactive:
        converse(make_session(client, model, info, wishes), settings)
    elif wishes.as_json:
        tell(make_session(client, model, info, wishes), prompt)
    else:
        answer(make_session(client, model, info, wishes), prompt)


def describe(client: Client, model: str, *, insecure: bool, as_json: bool = False) -> ShowReply:
    """Ask about a model, which is pulled first when it is not there. Raises ClientError."""
    try:
        return client.show(model)
    except ClientError as error:
        if error.status != NOT_FOUND:
            raise
    pull(client, model, insecure=insecure, as_json=as_json)
    return client.show(model)


def parse_format(text: str) -> object:
    """The `format` of a request: `json`, or any JSON text. Raises BadRequest."""
    if not text or text == "json":
        return text or None
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"invalid value for --format: {error}") from error
    return value


def parse_think(text: str) -> Think:
    """The `think` of a request. Raises BadRequest."""
    if text in {"", "true", "false"}:
        return text == "true" if text else None
    if text not in LEVELS:
        raise BadRequest(
            f'invalid value for --think: "{text}" (must be true, false, high, medium, low, or max)'
        )
    return text


def parse_keep_alive(text: str) -> object:
    """The `keep_alive` of a request: a duration, below 0 for ever. Raises BadRequest."""
    if not text:
        return None
    try:
        nanoseconds = parse_duration(text)
    except BadDuration as error:
        raise BadRequest(str(error)) from error
    return -1 if nanoseconds < 0 else format_duration(nanoseconds)


def join_prompt(words: Sequence[str]) -> str:
    """Standard input, unless it is a terminal or empty, and the words, joined by blanks."""
    piped = ""
    if sys.stdin is not None and not is_terminal(sys.stdin):
        piped = sys.stdin.buffer.read().decode("utf-8", "replace")
    return " ".join([piped, *words] if piped else words)


def make_session(client: Client, model: str, info: ShowReply, wishes: Wishes) -> Session:
    """The state that both a single answer and the prompt start from."""
    default: Think = True if "thinking" in info.capabilities else None
    return Session(
        client,
        model,
        info,
        style=wishes.style,
        format=wishes.format,
        think=default if wishes.think is None else wishes.think,
        is_think_chosen=wishes.think is not None,
        keep_alive=wishes.keep_alive,
    )


def load(session: Session) -> None:
    """Load the model, with a spinner."""
    with Progress(sys.stderr) as progress:
        progress.add(Spinner())
        session.load()
        progress.clear()


def work(
    session: Session, settings: Settings, wishes: Wishes, prompt: str, is_interactive: bool
) -> None:
    """Let the model work with tools: at the prompt, or for one answer."""
    from puna.agent.chat import answer_once, run_agent  # noqa: PLC0415 - the line editor is slow
    from puna.agent.setup import EVERYTHING, Flags, parse_tools  # noqa: PLC0415 - as long as all else

    flags = Flags(
        parse_tools("allow", wishes.allow, EVERYTHING),
        wishes.resume,
        parse_tools("tools", wishes.tools),
    )
    if "tools" in session.info.capabilities:
        load(session)
    if is_interactive:
        run_agent(session, settings, flags)
    elif prompt:
        answer_once(session, settings, flags, prompt)
    else:
        raise BadRequest("an agent needs a prompt where there is no terminal")


def converse(session: Session, settings: Settings) -> None:
    """Load the model, show what it has stored of a conversation, and open the prompt. What is
    typed meanwhile, and while the model answers, stands in the next prompt.
    """
    with keeping_keys():
        load(session)
        greet(session)
        # A single answer does not need the line editor, which takes as long to import as all else.
        from puna.repl.loop import run_prompt  # noqa: PLC0415

        run_prompt(session, settings)


def greet(session: Session) -> None:
    """Show what the model has stored of a conversation."""
    for message in session.info.messages:
        if message.role == "user":
            write_safely(sys.stdout, f">>> {message.content}\n")
        elif message.role == "assistant":
            write_safely(sys.stdout, f"{message.content}\n\n")


def answer(session: Session, prompt: str) -> None:
    """Print one answer; an empty prompt only loads the model."""
    said = print_answer(session.answer_once(session.read(prompt)), session.style)
    if prompt:
        print("\n")
    if said.finished and session.style.verbose:
        sys.stdout.flush()
        sys.stderr.write(summary(said.metrics))


def tell(session: Session, prompt: str) -> None:
    """Print the pieces of one answer as lines of JSON while they come; Ctrl+C stops it."""
    with closing(session.answer_once(session.read(prompt))) as pieces:
        try:
            for piece in pieces:
                print_line(piece)
        except KeyboardInterrupt:
            return


def embed(client: Client, model: str, text: str, wishes: Wishes) -> None:
    """Print the vector of a text."""
    if not text:
        raise BadRequest(NEEDS_TEXT)
    request: Json = {"model": model, "input": text}
    if wishes.keep_alive is not None:
        request["keep_alive"] = wishes.keep_alive
    if wishes.truncate is not None:
        request["truncate"] = wishes.truncate
    if wishes.dimensions > 0:
        request["dimensions"] = wishes.dimensions
    vectors = client.embed(request)
    if not vectors:
        raise ClientError("no embeddings returned")
    if wishes.as_json:
        print_line({"embedding": vectors[0]})
        return
    print(json.dumps(vectors[0], separators=(",", ":")))
