"""Making an agent: its folder, skills, approvals, context and transcript."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from puna.agent.approvals import Approvals, Ask, visible
from puna.agent.compact import estimate_tokens
from puna.agent.fence import Fence
from puna.agent.instructions import make_system
from puna.agent.skills import read_skills, skill_folders
from puna.agent.tools import TOOLS, Workplace
from puna.agent.transcript import (
    Transcript,
    find_transcript,
    prune_transcripts,
    read_transcript,
)
from puna.agent.turn import Agent, Tell
from puna.config import Settings
from puna.errors import BadRequest, ClientError
from puna.repl.session import Session

__all__ = [
    "EVERYTHING",
    "Flags",
    "begin_transcript",
    "context_window",
    "load_skills",
    "make_agent",
    "parse_tools",
    "system_text",
]

UNKNOWN_WINDOW = 32_768
EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Flags:
    """What `run --agent` was told: tools that need no question, a conversation to go on with,
    and which tools there are (none named: all).
    """

    allow: frozenset[str] = frozenset()
    resume: str = ""
    tools: frozenset[str] = frozenset()


def parse_tools(flag: str, text: str, *more: str) -> frozenset[str]:
    """The tools, and other words, that a flag names. Raises BadRequest."""
    names = frozenset(name for name in text.replace(" ", "").split(",") if name)
    if unknown := names - {*TOOLS, *more}:
        known = ", ".join([*TOOLS, *more])
        raise BadRequest(f"invalid value for --{flag}: {min(unknown)!r} (there are {known})")
    return names


def make_agent(
    session: Session, settings: Settings, flags: Flags, ask: Ask, tell: Tell, taken: Iterable[str]
) -> Agent:
    """An agent in the current folder. `taken` are commands, after which no skill may be named.

    Raises ClientError where the model has no tools, or there is no such conversation.
    """
    if "tools" not in session.info.capabilities:
        raise ClientError(
            f'model "{session.model}" does not support tools, which an agent needs; '
            "`puna show` lists the capabilities of a model"
        )
    fence = Fence.around(Path.cwd())
    place = Workplace(fence)
    load_skills(place, settings, taken)
    approvals = Approvals(flags.allow, has_full_access=EVERYTHING in flags.allow)
    absent = {"bash": settings.no_agent_shell, "web_fetch": settings.no_agent_web}
    tools = (flags.tools or frozenset(TOOLS)) - {name for name, is_off in absent.items() if is_off}
    agent = Agent(
        session,
        place,
        approvals,
        Transcript(None),
        context_window(session),
        system_text(session, place),
        ask,
        tell,
        tools,
    )
    if flags.resume:
        path = find_transcript(_folder(settings), flags.resume, fence.root)
        agent.messages = read_transcript(path).messages
        agent.tokens = estimate_tokens([*agent.messages, {"content": agent.system}])
        agent.transcript = Transcript.resume(path)
    else:
        agent.transcript = begin_transcript(settings, session.model, fence.root)
    return agent


def load_skills(place: Workplace, settings: Settings, taken: Iterable[str]) -> None:
    """Read the skills that there are; what is wrong with others is told on standard error."""
    folders = skill_folders(settings.skill_folders(), place.fence.root)
    place.skills, warnings = read_skills(folders, taken)
    for warning in warnings:
        print(f"warning: {visible(warning)}", file=sys.stderr)


def begin_transcript(settings: Settings, model: str, folder: Path) -> Transcript:
    """A new transcript, unless history is switched off; old ones go."""
    if settings.no_history:
        return Transcript(None)
    prune_transcripts(_folder(settings))
    return Transcript.begin(_folder(settings), model, folder)


def context_window(session: Session) -> int:
    """The context that the model is loaded with, in tokens; else what it was trained with."""
    if length := session.client.loaded_context(session.model):
        return length
    for key, value in session.info.model_info.items():
        if key.endswith(".context_length") and isinstance(value, int) and value > 0:
            return value
    return UNKNOWN_WINDOW


def system_text(session: Session, place: Workplace) -> str:
    """The system text for the model that there is now."""
    return make_system(
        session.model,
        place.fence.root,
        datetime.now(UTC).astimezone().date(),
        session.info.system,
        place.skills.values(),
    )


def _folder(settings: Settings) -> Path:
    return settings.home / "agent"
