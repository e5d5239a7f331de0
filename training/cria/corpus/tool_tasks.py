"""Tools with a request that only one of them fits: made up of words, or as people write them.

Names, descriptions and values are put together at random so that copying is learnt, not
remembered; the held-out vocabulary shares no verb, noun or argument name with the training one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from training.cria.corpus import everyday_tools, lexicon, words
from training.cria.corpus.phrasing import capitalised, styled
from training.cria.corpus.reworded import in_other_words
from training.cria.corpus.sample import Call, Json, Rng, Tool, pick
from training.cria.corpus.tool_values import spelt, value_of
from training.cria.corpus.tool_words import (
    ADJECTIVES,
    HELD,
    REAL,
    REAL_HELD,
    TRAIN,
    Arg,
    ArgKind,
    Real,
    Vocabulary,
)

__all__ = ["HELD_TEMPLATES", "TEMPLATES", "Task", "among", "held_task", "others", "task"]

_JSON_TYPES = {"number": "integer", "decimal": "number", "bool": "boolean"}
_REQUESTS = (
    "{Verb} the {noun} {args}.", "Please {verb} the {noun} {args}.",
    "Can you {verb} the {noun} {args}?",
    "I want to {verb} the {noun} {args}.", "{Verb} a {noun} {args}.", "{verb} {noun} {args}",
    "I need to {verb} a {noun} {args}.", "Could you {verb} the {noun} {args}?",
    "{Noun} {args}, please.",
    "I would like to {verb} the {noun} {args}.", "{Verb} {noun} {args}.",
    "{Verb} my {noun} {args}.", "Let us {verb} the {noun} {args}.",
    "Now {verb} the {noun} {args}.", "Will you {verb} my {noun} {args}?",
    "It is time to {verb} the {noun} {args}.", "We should {verb} the {noun} {args}.",
    "Next: {verb} the {noun} {args}.", "Help me {verb} the {noun} {args}.",
    "You can {verb} the {noun} now, {args}.", "Is it possible to {verb} the {noun} {args}?",
    "I ask you to {verb} this {noun} {args}.", "{Verb} that {noun} for me {args}.",
    "The {noun}: {verb} it {args}.", "Use {args} and {verb} the {noun}.",
    "For me: {verb} the {noun} {args}.", "{Verb} it, the {noun}, {args}.",
    "Hey, {verb} the {noun} {args}.", "My {noun} must be there: {verb} it {args}.",
    "How about you {verb} the {noun} {args}?", "Take the {noun} and {verb} it {args}.",
)  # fmt: skip
HELD_TEMPLATES = (
    "Would you {verb} the {noun} {args}?", "Go and {verb} the {noun} {args}.",
    "My wish: {verb} the {noun} {args}.",
)  # fmt: skip


_MORE_REQUESTS = lexicon.sections("tool_asks")
TEMPLATES = (*_REQUESTS, *_MORE_REQUESTS["made up"])
_TERSE = {1: _MORE_REQUESTS["terse one"], 2: _MORE_REQUESTS["terse two"]}
"""By the number of arguments: requests that name the tool by one word, and no argument."""


@dataclass(frozen=True, slots=True)
class Task:
    """A tool with a request that only it fits, and the call that answers it."""

    tool: Tool
    request: str
    call: Call
    subject: str
    again: Call | None = None  # a second call that the request asks for
    rival: Tool | None = None  # a tool that differs in the words it shares with the request


@cache
def _real_tools() -> tuple[Real, ...]:
    """The tools of training that somebody could have written."""
    return (*REAL, *everyday_tools.everyday())


def task(rng: Rng) -> Task:
    """A task of training."""
    if rng.random() < 0.7:
        return _everyday(rng)
    return _made_up(rng, TRAIN, new=False)


def held_task(rng: Rng, *, new: bool = True) -> Task:
    """A task of held-out words; with `new` its request and its values are held out, too."""
    if rng.random() < 0.35:
        return _real(rng, pick(rng, REAL_HELD), new=new)
    return _made_up(rng, HELD, new=new)


def among(rng: Rng, wanted: Task, *, held: bool = False) -> tuple[Tool, ...]:
    """The task's tool and up to three others: its rival, and those of other names and subjects."""
    tools = [wanted.tool]
    if wanted.rival is not None and rng.random() < 0.5:
        tools.append(wanted.rival)
    return (*tools, *others(rng, wanted, pick(rng, (0, 0, 1, 1, 2, 3)), held=held))


def others(rng: Rng, wanted: Task, count: int, *, held: bool = False) -> list[Tool]:
    """Up to so many tools of other subjects than the task's and each other's."""
    tools = []
    subjects = {wanted.subject}
    for _ in range(count):
        other = held_task(rng, new=False) if held else task(rng)
        if other.subject not in subjects:
            tools.append(other.tool)
            subjects.add(other.subject)
    return tools


def _everyday(rng: Rng) -> Task:
    """A task for an everyday tool, most of the time in other words than the table's."""
    row = pick(rng, _real_tools())
    ask = pick(rng, row.asks)
    if rng.random() < 0.65:
        row = in_other_words(rng, row, ask) or replace(row, asks=(ask,))
    else:
        row = replace(row, asks=(ask,))
    made = _real(rng, row, new=False)
    twin = in_other_words(rng, row, row.asks[0], rival=True)
    if twin is None:
        return made
    return replace(made, rival=_tool(rng, pick(rng, twin.names), twin.about, twin.args))


def _real(rng: Rng, row: Real, *, new: bool) -> Task:
    values = {arg.name: value_of(rng, arg.kind, arg.choices, new=new) for arg in row.args}
    name = pick(rng, row.names)
    request = _asked(rng, row, name, values, new=new)
    tool = _tool(rng, name, row.about, row.args)
    again = None
    if not new and len(row.args) == 1 and row.args[0].kind == "city" and rng.random() < 0.12:
        arg = row.args[0]
        second = words.city(rng)
        request = request.replace(
            spelt(values[arg.name]), f"{spelt(values[arg.name])} and {second}"
        )
        again = Call(tool.name, {arg.name: second})
    return Task(tool, request, Call(tool.name, dict(values)), row.about, again)


def _asked(rng: Rng, row: Real, name: str, values: dict[str, Json], *, new: bool) -> str:
    """A request for a real tool, in which the values are spelt as in the call."""
    said = {k: spelt(v) for k, v in values.items()}
    plain = pick(rng, row.asks).format(**said)
    if new:
        return plain
    if values and rng.random() < 0.06:
        named = pick(rng, _MORE_REQUESTS["by name"])
        return named.format(tool=name, args=_args_said(rng, values, bare=True))
    request = capitalised(styled(rng, plain, keep_case=True))
    return request if all(text in request for text in said.values()) else plain


def _tool(rng: Rng, name: str, about: str, args: tuple[Arg, ...]) -> Tool:
    """Declared in the order Puna writes a tool, now and then in another."""
    properties: dict[str, Json] = {}
    described = rng.random() < 0.6
    for arg in args:
        schema: dict[str, Json] = {"type": _JSON_TYPES.get(arg.kind, "string")}
        if described:
            schema["description"] = arg.about
        if arg.kind == "enum":
            schema["enum"] = list(arg.choices)
        properties[arg.name] = schema
    required: list[Json] = [arg.name for arg in args]
    parameters: dict[str, Json] = {"type": "object"}
    order = rng.random()
    if order < 0.6:
        parameters |= {"required": required, "properties": properties}
    elif order < 0.9:
        parameters |= {"properties": properties, "required": required}
    else:
        parameters |= {"properties": properties}
    return Tool(name, about, parameters)


def _made_up(rng: Rng, vocabulary: Vocabulary, *, new: bool) -> Task:
    verb, noun = pick(rng, vocabulary.verbs), pick(rng, vocabulary.nouns)
    adjective = f"{pick(rng, ADJECTIVES)} " if rng.random() < 0.25 else ""
    if not new:
        verb, noun, adjective = _any_words(rng, verb, noun, adjective)
    args = _args(rng, vocabulary, new)
    values = {arg.name: value_of(rng, arg.kind, arg.choices, new=new) for arg in args}
    template = _template(rng, new=new, some=bool(values))
    said = _args_said(rng, values)
    about = pick(rng, (
        f"{capitalised(verb)} the {adjective}{noun}", f"{capitalised(verb)} a {adjective}{noun}",
        f"{capitalised(verb)}s the {adjective}{noun}.", f"Tool to {verb} a {adjective}{noun}",
        f"{capitalised(verb)} {adjective}{noun} {' and '.join(values)}".strip(),
    ))  # fmt: skip
    tool = _tool(rng, _name(rng, verb, noun, adjective.strip()), about, args)
    if not new and len(values) in _TERSE and rng.random() < 0.3:
        template, said = pick(rng, _TERSE[len(values)]), ""
    rival = None if new else _rival(rng, template, verb, noun, args)
    first, *rest = [spelt(value) for value in values.values()] or [""]
    request = template.format(
        a=first, b=" ".join(rest),
        verb=verb, Verb=capitalised(verb), noun=adjective + noun,
        Noun=capitalised(adjective + noun), args=said, tool=tool.name,
    )  # fmt: skip
    request = " ".join(request.split()).replace(" .", ".").replace(" ?", "?").replace(" ,", ",")
    if not new and rng.random() < 0.25:
        loose = request[:1].lower() + request[1:].rstrip(".")
        request = loose if all(spelt(v) in loose for v in values.values()) else request
    return Task(tool, request, Call(tool.name, dict(values)), noun, rival=rival)


def _rival(rng: Rng, template: str, verb: str, noun: str, args: tuple[Arg, ...]) -> Tool | None:
    """A tool of another verb or noun, or both, that has some arguments of the wanted one.

    What differs is said in the request, so that it does not fit.
    """
    new_verb, new_noun = words.word(rng).lower(), words.word(rng).lower()
    said = template.lower()
    roll = rng.random()
    if roll < 0.3 and ("{noun}" in said or "{tool}" in said):
        new_verb = verb
    elif roll < 0.5 and ("{verb}" in said or "{tool}" in said):
        new_noun = noun
    if {new_verb, new_noun} == {verb, noun}:
        return None
    mixed = {arg.name: arg for arg in (*args, *_args(rng, TRAIN, new=False))}
    kept = tuple(arg for arg in mixed.values() if rng.random() < 0.7)
    about = f"{capitalised(new_verb)} {pick(rng, ('the', 'a'))} {new_noun}"
    return _tool(rng, _name(rng, new_verb, new_noun, ""), about, kept[:4])


def _template(rng: Rng, *, new: bool, some: bool) -> str:
    """How a made-up tool is asked for; `some`: whether there are arguments to say."""
    if new:
        return pick(rng, HELD_TEMPLATES if rng.random() < 0.5 else _REQUESTS)
    if some and rng.random() < 0.45:
        return pick(rng, _MORE_REQUESTS["made up"])
    return pick(rng, _REQUESTS)


def _any_words(rng: Rng, verb: str, noun: str, adjective: str) -> tuple[str, str, str]:
    """Other words for a tool, most of the time: copying needs to see all kinds."""
    roll = rng.random()
    if roll < 0.75:
        noun = pick(rng, lexicon.nouns()) if roll < 0.45 else words.made_up(rng)
    roll = rng.random()
    if roll < 0.7:
        verb = pick(rng, lexicon.verbs()) if roll < 0.5 else words.made_up(rng)
    if adjective and rng.random() < 0.5:
        adjective = f"{pick(rng, lexicon.adjectives())} "
    return verb, noun, adjective


def _name(rng: Rng, verb: str, noun: str, adjective: str) -> str:
    parts = [verb, adjective, noun] if adjective and rng.random() < 0.5 else [verb, noun]
    roll = rng.random()
    if roll < 0.6:
        return "_".join(parts)
    if roll < 0.8:
        return parts[0] + "".join(p.capitalize() for p in parts[1:])
    if roll < 0.9:
        return "_".join([noun, verb])
    return "-".join(parts)


def _args(rng: Rng, vocabulary: Vocabulary, new: bool) -> tuple[Arg, ...]:
    args: dict[str, Arg] = {}
    for _ in range(pick(rng, (0, 1, 1, 1, 2, 2, 2, 3))):
        kind = pick(rng, tuple(vocabulary.args))
        name = pick(rng, vocabulary.args[kind])
        choices = pick(rng, vocabulary.enums) if kind == "enum" else ()
        if not new:
            name, kind, choices = _any_argument(rng, name, kind, choices)
        about = f"The {name.replace('_', ' ')}" + pick(rng, ("", " to use", " of it"))
        args[name] = Arg(name, kind, about, choices)
    return tuple(args.values())


def _any_argument(
    rng: Rng, name: str, kind: ArgKind, choices: tuple[str, ...]
) -> tuple[str, ArgKind, tuple[str, ...]]:
    """Another name for an argument, most of the time, and other choices."""
    roll = rng.random()
    if roll < 0.25:
        name, kind = pick(rng, everyday_tools.argument_names())
        choices = ()
    elif roll < 0.75:
        name = words.word(rng).lower()
        if rng.random() < 0.2:
            name = f"{name}_{words.word(rng).lower()}"
    if kind == "enum" and rng.random() < 0.6:
        choices = tuple(dict.fromkeys(words.word(rng) for _ in range(rng.randrange(2, 5))))
    return name, kind, choices


_SAID = (
    "with {k} {v}", "with the {k} {v}", "{k} {v}", "with {k}: {v}", "for {k} {v}", "{k}: {v}",
    "{k} = {v}", "using {k} {v}", "the {k} is {v}", "where {k} is {v}", "and {k} {v}",
    "with {v} as {k}", "the {k} being {v}",
)  # fmt: skip
_BARE = ("{k} {v}", "{k}: {v}", "{k} = {v}", "{v} as {k}", "the {k} {v}")


def _args_said(rng: Rng, values: dict[str, Json], *, bare: bool = False) -> str:
    """The arguments in words; the name of each stands beside its value. `bare`: nothing else."""
    form = pick(rng, _BARE if bare else _SAID)
    said = [form.format(k=k.replace("_", " "), v=spelt(v)) for k, v in values.items()]
    if len(said) > 1 and form.startswith("with"):
        said[1:] = [s.removeprefix("with ") for s in said[1:]]
    if rng.random() < 0.25:
        rng.shuffle(said)
    return pick(rng, (" and ", ", ")).join(said)
