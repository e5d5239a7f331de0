"""The agent's conversation at a terminal, and its single answer without one.

Facts: CLI spec, sections 5.3 and 5.4.
"""

from __future__ import annotations

import sys

from puna.agent.approvals import visible
from puna.agent.ask import ask_at_terminal, deny_unasked
from puna.agent.commands import COMMANDS, Desk, command_names, run_command
from puna.agent.complete import AgentCompleter
from puna.agent.escape import Escape
from puna.agent.keys import make_keys
from puna.agent.pastes import Pastes
from puna.agent.pickers import THINKING
from puna.agent.setup import Flags, make_agent
from puna.agent.skill_import import SOURCES
from puna.agent.turn import Agent, End, take_turn
from puna.client.fields import Json
from puna.config import Settings
from puna.errors import ClientError
from puna.repl.commands import Leave
from puna.repl.complete import PromptCompleter
from puna.repl.editor import edit
from puna.repl.history import History
from puna.repl.loop import entries
from puna.repl.reader import Extras, make_reader
from puna.repl.session import Session
from puna.term.answer import GREY, RESET
from puna.term.present import has_colours, is_at_terminal

__all__ = ["answer_once", "run_agent"]

_SHOWN_LINES = 8
_MOST_SHOWN = 2000
_MUCH = 0.6  # of the context; below, its use is not shown


def run_agent(session: Session, settings: Settings, flags: Flags, text: str = "") -> None:
    """Work with the user until they leave, beginning with `text`. Raises ClientError."""
    session.restyle(has_tools=True, folds_thinking=True)
    escape = Escape()
    ask = escape.pausing(ask_at_terminal)
    agent = make_agent(session, settings, flags, ask, tell, command_names())
    _greet(agent, resumed=bool(flags.resume))
    desk = Desk(agent, settings)
    if text:
        with escape.watched():
            _say(agent, text)
    _read_on(desk, escape)
    if agent.transcript.id and agent.messages:
        print(f"To go on later: puna run {session.model} --agent --resume={agent.transcript.id}")


def answer_once(session: Session, settings: Settings, flags: Flags, text: str) -> None:
    """One turn; who is at no terminal is not asked. Raises ClientError if it does not end well."""
    session.restyle(has_tools=True, folds_thinking=True)
    ask = ask_at_terminal if is_at_terminal() else deny_unasked
    agent = make_agent(session, settings, flags, ask, tell, command_names())
    end = take_turn(agent, _message(session, text))
    print("\n")
    if end.problem and end.problem != "stopped":
        raise ClientError(end.problem if end.problem != "denied" else "a call was denied")


def tell(kind: str, text: str) -> None:
    """Show what happens between answers, on standard error, so that answers can be piped."""
    shown = visible(text[:_MOST_SHOWN])
    if kind == "result":
        lines = shown.split("\n")
        more = len(lines) - _SHOWN_LINES
        shown = "\n".join(f"  {line}" for line in lines[:_SHOWN_LINES])
        if more > 0:
            shown += f"\n  [{more} more lines, Ctrl+O shows all]"
    elif kind == "call":
        shown = f"\n* {shown}"
    if has_colours(sys.stderr):
        shown = f"{GREY}{shown}{RESET}"
    sys.stderr.write(shown + "\n")
    sys.stderr.flush()


def _greet(agent: Agent, *, resumed: bool) -> None:
    print(f"Agent with {agent.session.model} in {agent.place.fence.root}")
    if agent.approvals.has_full_access:
        print("full access enabled")
    if resumed:
        count = sum(1 for message in agent.messages if message.get("role") == "user")
        print(f"Went on with {agent.transcript.id} ({count} messages of yours)")


def _read_on(desk: Desk, escape: Escape) -> None:
    agent = desk.agent
    history = History(desk.settings.home / "history", saving=False)
    completer = PromptCompleter(
        lambda: [*COMMANDS, "/edit", *(f"/{name}" for name in agent.place.skills)],
        {
            "/think": THINKING,
            "/access": ("full", "review"),
            "/system": ("on", "off"),
            "/skills": ("import",),
            "/skills import": tuple(SOURCES),
        },
        ("/model",),
        lambda: [each.name for each in agent.session.client.models()],
    )
    pastes = Pastes()
    extras = Extras(make_keys(agent, pastes), lambda: status(agent), completes_while_typing=True)
    proposing = AgentCompleter(completer, lambda: agent.place.fence)
    reader = make_reader(history, desk.settings.editor, proposing, extras)
    for entry in entries(reader, history, desk):
        try:
            if entry.text:
                _take(desk, entry.text, pastes, escape, is_line=entry.kind == "line")
        except KeyboardInterrupt:
            print()
        except ClientError as error:  # the conversation is worth more than its last request
            print(f"error: {visible(str(error))}", file=sys.stderr)
        except Leave:
            return


def _take(desk: Desk, text: str, pastes: Pastes, escape: Escape, *, is_line: bool) -> None:
    agent = desk.agent
    name, _, rest = text.partition(" ")
    skill = agent.place.skills.get(name.removeprefix("/")) if is_line and name[0] == "/" else None
    if skill is not None:
        asked = pastes.expand(rest.strip()) or f"Do what the skill {skill.name} says."
        with escape.watched():
            _say(agent, f"Skill {skill.name}:\n{skill.load()}\n\n{asked}")
    elif is_line and name == "/edit":
        desk.draft = edit(rest.strip(), desk.settings.editor)
    elif is_line and text.startswith("/") and not agent.session.is_shown(text):
        run_command(desk, text)
    else:
        with escape.watched():
            _say(agent, pastes.expand(text))


def _say(agent: Agent, text: str) -> None:
    end: End = take_turn(agent, _message(agent.session, text))
    print("\n")
    if end.problem and end.problem != "stopped":
        tell("note", end.problem)


def _message(session: Session, text: str) -> Json:
    prompt = session.read(text)
    message: Json = {"role": "user", "content": prompt.text}
    return {**message, "images": prompt.images} if prompt.images else message


def status(agent: Agent) -> str:
    """What stands at the end of the prompt: the model, its context where little is left, and
    what is out of the ordinary.
    """
    used = agent.tokens / agent.window
    parts = [visible(agent.session.model)]
    if used > _MUCH:
        parts.append(f"ctx ~{_short(agent.tokens)} / {_short(agent.window)} ({used:.0%} used)")
    if agent.approvals.has_full_access:
        parts.append("full access")
    if not agent.has_tools:
        parts.append("tools off")
    return "   ".join(parts)


def _short(tokens: int) -> str:
    return str(tokens) if tokens < 1000 else f"{tokens // 1000}k"
