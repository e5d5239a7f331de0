"""The values of the corpus: a conversation with its tools, and the random source it came from."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = [
    "Call",
    "Json",
    "Question",
    "Rng",
    "Role",
    "Sample",
    "Tool",
    "Turn",
    "ask",
    "dialogue",
    "pick",
]

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Role = Literal["system", "user", "assistant", "tool"]
Rng = random.Random
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call the assistant makes."""

    name: str
    arguments: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Tool:
    """A declared tool; `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: dict[str, Json]

    def declared(self) -> dict[str, Json]:
        """As it stands in a request."""
        function: dict[str, Json] = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `thought` is used in the last turn of a thinking conversation only."""

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    thought: str = ""

    def message(self) -> dict[str, Json]:
        """As it stands in a request."""
        plain: dict[str, Json] = {"role": self.role, "content": self.text}
        if self.calls:
            plain["tool_calls"] = [
                {"type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                for c in self.calls
            ]
        return plain


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation that ends with the assistant; every assistant turn in it is to be learnt.

    With `think` only the last turn is: the template drops earlier thoughts.
    """

    skill: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    think: bool = False

    @property
    def answer(self) -> Turn:
        """The last turn."""
        return self.turns[-1]

    def key(self) -> str:
        """A text that two samples share only if they are the same."""
        turns = [[t.role, t.text, repr(t.calls), t.thought] for t in self.turns]
        return json.dumps([self.skill, turns, [t.name for t in self.tools], self.think])


def pick(rng: Rng, items: Sequence[T]) -> T:
    """One of `items`, each as likely as the others."""
    return items[rng.randrange(len(items))]


def ask(skill: str, question: str, answer: str, thought: str = "", *, think: bool) -> Sample:
    """One question and its answer."""
    return Sample(
        skill,
        (Turn("user", question), Turn("assistant", answer, thought=thought)),
        think=think,
    )


def dialogue(skill: str, *texts: str) -> Sample:
    """A conversation without thinking: user and assistant in turn."""
    roles: tuple[Role, Role] = ("user", "assistant")
    return Sample(skill, tuple(Turn(roles[i % 2], text) for i, text in enumerate(texts)))


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out conversation without its last answer; `check` says how that is graded."""

    skill: str
    turns: tuple[Turn, ...]
    check: dict[str, Json]
    tools: tuple[Tool, ...] = ()
    think: bool = False
