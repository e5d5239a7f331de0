"""Which skill comes how often: one table, and the sample that belongs to a number."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from training.cria.corpus import (
    arithmetic,
    copying,
    dialogue,
    facts,
    limits,
    reasoning,
    stories,
    structured,
    tools,
    world,
)
from training.cria.corpus.sample import Question, Rng, Sample, Turn, pick

__all__ = ["LONG", "MIX", "Skill", "questions", "sample"]

Maker = Callable[..., Sample]


@dataclass(frozen=True, slots=True)
class Skill:
    """`weight`: share of the samples; `thinking`: share of those that think first."""

    make: Maker
    weight: float
    thinking: float


MIX: dict[str, Skill] = {
    "puna": Skill(facts.make, 23, 0.3),
    "sums": Skill(arithmetic.make, 15, 0.3),
    "world": Skill(world.make, 20, 0.45),
    "stories": Skill(stories.make, 4, 0.25),
    "tools": Skill(tools.make, 60, 0.3),
    "reasoning": Skill(reasoning.make, 7, 0.7),
    "json": Skill(structured.make, 6, 0.25),
    "dialogue": Skill(dialogue.make, 8, 0.25),
    "limits": Skill(limits.make, 7, 0.4),
    "copying": Skill(copying.make, 6, 0.2),
}
LONG = 0.004  # share of conversations made of many short ones
_JOINED = ("puna", "sums", "world", "dialogue", "limits", "json", "stories", "reasoning")

_NAMES = list(MIX)
_WEIGHTS = [skill.weight for skill in MIX.values()]


def sample(seed: int, number: int) -> Sample:
    """The training sample with this number; the same seed and number give the same sample."""
    rng = random.Random(f"{seed}/{number}")
    if rng.random() < LONG:
        return _long(rng)
    skill = MIX[rng.choices(_NAMES, _WEIGHTS)[0]]
    return _with_system(rng, skill.make(rng, think=rng.random() < skill.thinking))


def _with_system(rng: Rng, made: Sample) -> Sample:
    """Sometimes the system prompt that clients send by default stands before it."""
    if made.turns[0].role == "system" or rng.random() > 0.04:
        return made
    text = pick(rng, ("You are a helpful assistant.", "You are cria.", "Be brief.",
                      "You are a friendly assistant.", "Answer shortly."))  # fmt: skip
    return Sample(made.skill, (Turn("system", text), *made.turns), made.tools, made.think)


def _long(rng: Rng) -> Sample:
    """A conversation of many short ones, up to the whole context; something told early is asked."""
    turns: list[Turn] = []
    for _ in range(rng.randrange(6, 40)):
        skill = MIX[pick(rng, _JOINED)]
        made = skill.make(rng, think=False)
        if made.turns[0].role != "system":
            turns += made.turns
    return Sample("long", tuple(turns))


def questions(seed: int, *, small: bool = False) -> list[Question]:
    """The held-out questions; `small`: a ninth of them, for a look during training."""
    rng = random.Random(f"held/{seed}")
    made = [*facts.held(rng, think=False)]
    rng.shuffle(made)
    made = made[:240] + [
        Question("puna, thinking", q.turns, q.check, think=True) for q in made[240:]
    ]
    counts = ((arithmetic.held, 200), (world.held, 200), (limits.held, 100), (tools.held, 200),
              (structured.held, 80), (dialogue.held, 100), (stories.held, 45))  # fmt: skip
    for maker, count in counts:
        made += maker(rng, count, think=False)
    made += _renamed("sums, thinking", arithmetic.held(rng, 60, think=True))
    made += _renamed("reasoning, thinking", reasoning.held(rng, 60, think=True))
    made += _renamed("world, thinking", world.held(rng, 60, think=True))
    made += _renamed("limits, thinking", limits.held(rng, 60, think=True))
    made += [Question(f"{q.skill}, thinking", q.turns, q.check, q.tools, True)
             for q in tools.held(rng, 100, think=True)]  # fmt: skip
    made += _more_tools(rng)
    if small:
        return made[::9]
    return made


def _more_tools(rng: Rng) -> list[Question]:
    """So many calls that another draw of them moves their share by no more than two points."""
    made = tools.held(rng, 800, think=False)
    made += [Question(f"{q.skill}, thinking", q.turns, q.check, q.tools, True)
             for q in tools.held(rng, 234, think=True)]  # fmt: skip
    return [q for q in made if not q.skill.startswith("tool results")]


def _renamed(skill: str, found: list[Question]) -> list[Question]:
    return [Question(skill, q.turns, q.check, q.tools, q.think) for q in found]
