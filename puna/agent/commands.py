"""The slash commands of the agent, as a table of rows. Facts: CLI spec, section 5.4."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prompt_toolkit.utils import is_dumb_terminal

from puna.agent.approvals import visible
from puna.agent.fence import Fence, Refused
from puna.agent.files import write_text
from puna.agent.pickers import THINKING, choose_model, choose_thinking
from puna.agent.setup import begin_transcript, context_window, load_skills, system_text
from puna.agent.skill_import import SOURCES, import_skills
from puna.agent.turn import Agent, compact, request_body
from puna.config import Settings
from puna.errors import BadRequest, ClientError, quoted
from puna.launch.place import make_place
from puna.launch.saved import Choices
from puna.repl.commands import Leave
from puna.term.safe import write_safely
from puna.term.viewer import view

__all__ = ["COMMANDS", "Desk", "command_names", "run_command"]

HELP = """\
Available Commands:
  /model [name]        Go on with another model; without its full name, choose one
  /new                 Begin a new conversation
  /think [auto|on|off|low|medium|high|max]
                       How much the model thinks
  /tools               Turn tools on or off
  /access [full|review]
                       Carry out every call, or ask before each (Shift + Tab)
  /system [on|off]     Show the system text, or turn it on or off
  /skills [import codex|claude|pi]
                       List the skills, or copy those of another agent
  /<skill> [text]      Say something with a skill loaded
  /compact             Put a summary in place of what was said so far
  /prompt              Show the next request
  /save <file>         Write the next request as a file
  /edit [text]         Write a message in an editor
  /help, /?            This text
  /bye, /exit          Leave

Keys: Ctrl + o shows the conversation with thoughts and results in full, Shift + Tab changes the
access, Alt + Enter begins a new line, @ proposes files, Esc or Ctrl + c stops an answer.
"""


@dataclass(slots=True)
class Desk:
    """What a command may work on; `draft` is what the next entry begins with."""

    agent: Agent
    settings: Settings
    draft: str = ""


def run_command(desk: Desk, line: str) -> None:
    """Run the command of a line. Raises Leave, or ClientError with what went wrong."""
    name, _, rest = line.partition(" ")
    function = COMMANDS.get(name)
    if function is None:
        print(f'Unknown command "{name}"')
    else:
        function(desk, rest.strip())


def command_names() -> list[str]:
    """What no skill may be called."""
    return [name.removeprefix("/") for name in COMMANDS]


def model(desk: Desk, rest: str) -> None:
    session = desk.agent.session
    name = choose_model(session.client.models(), session.model, rest)
    if not name:
        return
    info = session.client.show(name)
    if "tools" not in info.capabilities:
        raise ClientError(f'model "{name}" does not support tools')
    session.switch(name)
    desk.agent.window = context_window(session)
    desk.agent.system = system_text(session, desk.agent.place)
    with suppress(OSError, BadRequest):  # then the menu does not remember it
        Choices.read(make_place(desk.settings)).save_last(model=name)
    print(f"Now with {name}.")


def new(desk: Desk, rest: str) -> None:
    agent = desk.agent
    agent.messages, agent.tokens = [], 0
    agent.approvals.set_full_access(False)
    agent.place.fence = Fence.around(agent.place.fence.root)
    agent.transcript = begin_transcript(desk.settings, agent.session.model, agent.place.fence.root)
    print("Began a new conversation.")


def think(desk: Desk, rest: str) -> None:
    session = desk.agent.session
    now = THINKING[0] if not session.is_think_chosen else str(session.think)
    level = rest or choose_thinking({"True": "on", "False": "off"}.get(now, now))
    if not level:
        return
    if level not in THINKING:
        print("Usage:\n  /think [auto|on|off|low|medium|high|max]")
        return
    session.is_think_chosen = level != "auto"
    if session.is_think_chosen:
        session.think = {"on": True, "off": False}.get(level, level)
    else:
        session.think = session.can_think or None
    print(f"Thinking: {level}.")
    if session.think and not session.can_think:
        warning = f"warning: model {quoted(session.model)} does not support thinking output"
        print(warning, file=sys.stderr)


def tools(desk: Desk, rest: str) -> None:
    desk.agent.has_tools = not desk.agent.has_tools
    print(f"Tools are {'on' if desk.agent.has_tools else 'off'}.")


def access(desk: Desk, rest: str) -> None:
    approvals = desk.agent.approvals
    if rest not in {"", "full", "review"}:
        print("Usage:\n  /access [full|review]")
        return
    if rest:
        approvals.set_full_access(rest == "full")
    print("full access enabled" if approvals.has_full_access else "review mode enabled")


def system(desk: Desk, rest: str) -> None:
    if rest in {"on", "off"}:
        desk.agent.has_system = rest == "on"
        print(f"The system text is {rest}.")
    else:
        write_safely(sys.stdout, desk.agent.system + "\n")


def skills(desk: Desk, rest: str) -> None:
    word, _, name = rest.partition(" ")
    if word == "import" and name.strip() in SOURCES:
        _import_skills(desk, name.strip())
    elif rest:
        print("Usage:\n  /skills [import codex|claude|pi]")
    else:
        for each in desk.agent.place.skills.values():
            write_safely(sys.stdout, f"/{each.name}  {each.description}\n")


def _import_skills(desk: Desk, name: str) -> None:
    target = desk.settings.skill_folders()[-1]
    try:
        came, problems = import_skills(Path.home() / SOURCES[name], target)
    except OSError as error:
        raise ClientError(f"{target} cannot be written: {error.strerror}") from error
    for problem in problems:
        print(visible(problem), file=sys.stderr)
    agent = desk.agent
    load_skills(agent.place, desk.settings, command_names())
    agent.system = system_text(agent.session, agent.place)
    counted = f"{len(came)} skill{'' if len(came) == 1 else 's'}"
    print(visible(f"Copied {counted} to {target}" + "".join(f"\n/{each}" for each in came)))


def compact_(desk: Desk, rest: str) -> None:
    print(compact(desk.agent) or "Compacted.")


def prompt(desk: Desk, rest: str) -> None:
    if is_dumb_terminal():
        write_safely(sys.stdout, _request(desk) + "\n")
    else:
        view("The next request", visible(_request(desk)))


def save(desk: Desk, rest: str) -> None:
    fence = desk.agent.place.fence
    if not rest:
        print("Usage:\n  /save <file>")
        return
    name = rest if rest.endswith(".json") else rest + ".json"
    try:
        path: Path = fence.find_inside(name)
        write_text(path, _request(desk) + "\n", fence.root)
    except Refused as error:
        raise ClientError(str(error)) from error
    print(f"Wrote {fence.shown(path)}")


def help_(desk: Desk, rest: str) -> None:
    print(HELP, file=sys.stderr)


def leave(desk: Desk, rest: str) -> None:
    raise Leave


def _request(desk: Desk) -> str:
    return json.dumps(request_body(desk.agent), indent=2, ensure_ascii=False)


COMMANDS: dict[str, Callable[[Desk, str], None]] = {
    "/model": model,
    "/new": new,
    "/think": think,
    "/tools": tools,
    "/access": access,
    "/system": system,
    "/skills": skills,
    "/compact": compact_,
    "/prompt": prompt,
    "/save": save,
    "/help": help_,
    "/?": help_,
    "/bye": leave,
    "/exit": leave,
}
