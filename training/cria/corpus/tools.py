"""Tool calls: which declared tool fits, arguments copied out of the request, answers from results.

Names, descriptions and values are put together at random so that copying is learnt, not
remembered; the held-out vocabulary shares no verb, noun or argument name with the training one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from training.cria.corpus import (
    arithmetic,
    everyday_tools,
    facts,
    lexicon,
    words,
    world,
)
from training.cria.corpus.phrasing import capitalised, styled
from training.cria.corpus.sample import (
    Call,
    Json,
    Question,
    Rng,
    Sample,
    Tool,
    Turn,
    pick,
)
from training.cria.corpus.tables import spaced
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

__all__ = ["HELD_TEMPLATES", "NO_TOOL", "TEMPLATES", "held", "make"]

NO_TOOL = "I have no tool for that."

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
class _Task:
    """A tool with a request that only it fits, and the call that answers it."""

    tool: Tool
    request: str
    call: Call
    subject: str
    again: Call | None = None  # a second call that the request asks for


def make(rng: Rng, *, think: bool) -> Sample:
    """A training conversation with tools."""
    roll = rng.random()
    if roll < 0.56:
        return _calling(rng, think)
    if roll < 0.7:
        return _from_result(rng, think)
    return _not_calling(rng, think)


def _calling(rng: Rng, think: bool) -> Sample:
    task = _task(rng, TRAIN, real_tools())
    tools = _among(rng, task, TRAIN, real_tools())
    calls = (task.call,) if task.again is None else (task.call, task.again)
    thought = f"The tool {task.call.name} fits."
    turns = (*_before(rng), Turn("user", task.request), Turn("assistant", "", calls, thought))
    return Sample("tools", turns, tools, think)


def _before(rng: Rng) -> list[Turn]:
    """Sometimes a system prompt comes first."""
    if rng.random() < 0.85:
        return []
    text = pick(rng, ("You are a helpful assistant.", "Use the tools when they help.",
                      "You are cria.", "Be brief.", "Answer with the tools you have."))  # fmt: skip
    return [Turn("system", text)]


def _among(
    rng: Rng, task: _Task, vocabulary: Vocabulary, real: tuple[Real, ...]
) -> tuple[Tool, ...]:
    """The task's tool and up to three that have neither its name nor its subject."""
    tools = [task.tool]
    subjects = {task.subject}
    for _ in range(pick(rng, (0, 0, 1, 1, 2, 3))):
        other = _task(rng, vocabulary, real)
        if other.subject not in subjects:
            tools.append(other.tool)
            subjects.add(other.subject)
    rng.shuffle(tools)
    return tuple(tools)


@cache
def real_tools() -> tuple[Real, ...]:
    """The tools of training that somebody could have written."""
    return (*REAL, *everyday_tools.everyday())


def _task(rng: Rng, vocabulary: Vocabulary, real: tuple[Real, ...], *, new: bool = False) -> _Task:
    if rng.random() < 0.35:
        return _real(rng, pick(rng, real), new)
    return _made_up(rng, vocabulary, new)


def _real(rng: Rng, row: Real, new: bool) -> _Task:
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
    return _Task(tool, request, Call(tool.name, dict(values)), row.about, again)


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


def _made_up(rng: Rng, vocabulary: Vocabulary, new: bool) -> _Task:
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
    return _Task(tool, request, Call(tool.name, dict(values)), noun)


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


_RESULT_KEYS = spaced(
        "temperature condition price status count time result name size weight distance speed "
        "level color owner title date total rating number answer place language version score"
    )  # fmt: skip


def _from_result(rng: Rng, think: bool) -> Sample:
    """A call, its result, and the answer that the result gives."""
    task = _task(rng, TRAIN, real_tools())
    while task.again is not None:
        task = _task(rng, TRAIN, real_tools())
    result, answer = _result(rng, list({_key(rng): None for _ in range(5)}))
    turns = [
        *_before(rng),
        Turn("user", task.request),
        Turn("assistant", "", (task.call,)),
        Turn("tool", result),
        Turn("assistant", answer, thought="The tool gave the result."),
    ]
    tools = _among(rng, task, TRAIN, real_tools())
    return Sample("tools", tuple(turns), tools, think)


def _key(rng: Rng) -> str:
    roll = rng.random()
    return pick(rng, _RESULT_KEYS) if roll < 0.4 else words.word(rng).lower()


def _result(rng: Rng, names: Sequence[str]) -> tuple[str, str]:
    """A tool's result, as JSON or text, and the sentence said of it."""
    if rng.random() < 0.3:
        value = spelt(value_of(rng, pick(rng, ("word", "number", "phrase", "city")), (), new=False))
        return value, f"The result is {value}."
    if rng.random() < 0.15:
        error = pick(rng, ("not found", "timeout", "no access", "unknown id", "service is down"))
        return json.dumps({"error": error}), f"The tool failed: {error}."
    keys = rng.sample(names, min(rng.randrange(1, 4), len(names)))
    kinds = ("word", "number", "phrase", "name", "city")
    values = {key: value_of(rng, pick(rng, kinds), (), new=False) for key in keys}
    said = [f"the {key.replace('_', ' ')} is {spelt(value)}" for key, value in values.items()]
    return json.dumps(values), capitalised(_joined(said)) + "."


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _not_calling(rng: Rng, think: bool) -> Sample:
    """Tools are there and none fits: an ordinary answer, or that there is no tool for it."""
    tools = _among(rng, _task(rng, TRAIN, real_tools()), TRAIN, real_tools())
    roll = rng.random()
    if roll < 0.45:
        names = {tool.name for tool in tools}
        while True:
            task = _task(rng, TRAIN, real_tools())
            about = [tool.description for tool in tools]
            if task.tool.name not in names and not any(task.subject in text for text in about):
                break
        turns: tuple[Turn, ...] = (
            Turn("user", task.request),
            Turn("assistant", NO_TOOL, thought="No tool fits this."),
        )
        return Sample("tools", turns, tools, think)
    makers = (world.make, world.make, _greeting, _other)
    inner = pick(rng, makers)(rng, think=think)
    return Sample("tools", inner.turns, tools, think)


def _other(rng: Rng, *, think: bool) -> Sample:
    return facts.make(rng, think=think)


def _greeting(rng: Rng, *, think: bool) -> Sample:
    question, answer = pick(rng, (
        ("Hello!", "Hello! How can I help you?"), ("Hi", "Hello! How can I help you?"),
        ("Thank you!", "You are welcome."), ("Thanks", "You are welcome."),
        ("Good morning", "Good morning! How can I help you?"), ("Bye", "Goodbye!"),
    ))  # fmt: skip
    turns = (Turn("user", question), Turn("assistant", answer, thought="No tool is needed."))
    return Sample("tools", turns, (), think)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Calls with unseen names (six in ten), answers from results, and requests no tool fits."""
    found: list[Question] = []
    for i in range(count):
        task = _task(rng, HELD, REAL_HELD, new=True)
        tools = _among(rng, task, HELD, REAL_HELD)
        user = Turn("user", task.request)
        check: dict[str, Json]
        if i % 10 < 6:
            check = {"kind": "call", "name": task.call.name, "arguments": task.call.arguments}
            found.append(Question("tools", (user,), check, tools, think))
        elif i % 10 < 8:
            result, answer = _result(rng, ["altitude", "capacity", "flavor", "captain", "voltage"])
            turns = (user, Turn("assistant", "", (task.call,)), Turn("tool", result))
            check = {"kind": "said", "text": answer}
            found.append(Question("tool results", turns, check, tools, think))
        else:
            found.append(_held_none(rng, i, tools, think))
    return found


def _held_none(rng: Rng, i: int, tools: tuple[Tool, ...], think: bool) -> Question:
    if i % 2:
        inner = (world.held if i % 4 == 1 else arithmetic.held)(rng, 1, think=think)[0]
        check: dict[str, Json] = {"kind": "no_call"}
        tools = tuple(t for t in tools if t.name not in ("subtract", "minus_tool"))
        return Question("no tool fits", inner.turns, check, tools, think)
    while True:
        other = _task(rng, HELD, REAL_HELD, new=True)
        if not any(other.subject in t.description or other.subject in t.name for t in tools):
            break
    return Question(
        "no tool fits", (Turn("user", other.request),), {"kind": "no_call"}, tools, think
    )
