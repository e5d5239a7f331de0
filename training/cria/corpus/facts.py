"""Questions about Puna and cria, and their answers, from the two tables of facts."""

from __future__ import annotations

from training.cria.corpus import lexicon
from training.cria.corpus.phrasing import capitalised, styled
from training.cria.corpus.puna_entities import ENTITIES, Entity, Kind
from training.cria.corpus.puna_plain import PLAIN, Plain
from training.cria.corpus.sample import Json, Question, Rng, Sample, Turn, ask, pick

__all__ = [
    "HELD_TEMPLATES",
    "default_answer",
    "held",
    "held_texts",
    "how_answer",
    "key_question",
    "make",
    "name_key",
    "what_answer",
]

_HOW = (
    "How do I {}?", "How can I {}?", "How do I {} with Puna?", "How to {}?", "I want to {}.",
    "I need to {}.", "Show me how to {}.", "Is there a way to {}?", "Can I {}?",
    "Tell me how to {}.", "What should I do to {}?", "With Puna, how do I {}?",
    "I would like to {}.", "Help me {}.", "Explain how to {}.", "How could I {}?",
    "What do I use to {}?", "What is the way to {}?", "How would one {}?", "In Puna, how do I {}?",
    "Can you tell me how to {}?", "Do you know how to {}?", "I am trying to {}.",
    "How does one {} here?", "What lets me {}?", "Is it possible to {}?", "I have to {}, how?",
    "My goal is to {}.", "{}: how?", "{}",
    "What do I type to {}?", "What must I do to {}?", "What can I do to {}?",
    "Which way is there to {}?", "How am I able to {}?", "Give me the way to {}.",
    "I wonder how to {}.", "I wonder how I can {}.", "I do not know how to {}.",
    "I'd like to {}.", "I'd love to {}.", "I plan to {}.", "I hope to {}.",
    "I want you to help me {}.",
    "Could I {} somehow?", "May I {}?", "Would it be possible to {}?", "Does Puna let me {}?",
    "Can Puna {}?", "Am I able to {}?", "How would I {}?", "How should I {}?", "How do you {}?",
    "How do people {}?", "How do we {}?", "How can one {}?", "How might we {} in Puna?",
    "In what way can I {}?", "By what means do I {}?", "What is the best way to {}?",
    "What is the right way to {}?", "What is the command or option to {}?",
    "Where do I start if I want to {}?", "If I want to {}, what do I do?",
    "When I want to {}, what should I use?", "What should one use to {}?", "What helps me {}?",
    "What will {} for me?", "What would let me {}?", "Let me {}.", "Please let me {}.",
    "Please show how to {}.", "Please help me to {}.", "Please tell me how I can {}.",
    "Could you explain how to {}?", "Could you tell me how to {}?", "Can you show me how to {}?",
    "Can you help me {}?", "Remind me how to {}.", "I forgot how to {}.", "I need a way to {}.",
    "I need some help to {}.", "I am looking for a way to {}.", "I have been trying to {}.",
    "I was asked to {}.", "My task is to {}.", "My boss wants me to {}.", "The aim is to {}.",
    "Instructions to {}?", "A way to {}?", "Quick way to {}?", "Steps to {}?", "How to {} in Puna?",
    "What does it take to {}?", "What is there to {}?", "Is there something to {}?",
)  # fmt: skip
_HELD_HOW = (
    "Could you say how I might {}?", "Any idea how to {}?", "Suppose I want to {}. What then?",
    "I wish to {}; what do I need?", "Would you show me the way to {}?",
    "What is needed if I want to {}?", "Please teach me to {}.", "Say I must {}. How is it done?",
)  # fmt: skip
_WHAT = (
    "What does {} do?", "What is {}?", "What is {} for?", "Explain {}.", "Tell me about {}.",
    "What is the use of {}?", "What is the meaning of {}?", "Describe {}.", "I saw {}. What is it?",
    "Why would I use {}?", "Can you explain {}?", "What can I do with {}?", "What about {}?",
    "Do you know {}?", "When do I use {}?", "What does {} mean?", "Say what {} does.",
    "I do not understand {}.", "How does {} work?", "What is the effect of {}?", "{}?", "{}",
    "What is {} used for?", "What is {} there for?", "What does {} change?", "What is {} about?",
    "Why is there {}?", "Why does {} exist?", "Why do I need {}?", "Who needs {}?",
    "Could you explain {}?", "Could you tell me about {}?", "Could you tell me what {} does?",
    "Can you tell me what {} is?", "Can you describe {}?", "Do you know what {} does?",
    "Please explain {}.", "Please describe what {} does.", "Please tell me what {} is for.",
    "I wonder what {} does.", "I wonder what {} is for.", "I'd like to know what {} is.",
    "I want to understand {}.", "I have never used {}. What does it do?", "I found {}. Explain it.",
    "I read about {}. What is it for?", "Somebody told me to use {}. What does it do?",
    "What happens with {}?", "What happens when I use {}?", "What happens if I set {}?",
    "What do people use {} for?", "What would I need {} for?", "Where does {} help?",
    "How can {} help me?", "What can {} do?", "What good is {}?", "What is the point of {}?",
    "What is the job of {}?", "What is the role of {}?", "Meaning of {}?", "Purpose of {}?",
    "Give me a definition of {}.", "Define {}.", "Say something about {}.", "Teach me {}.",
    "Show me what {} does.", "Help me understand {}.", "Remind me what {} does.",
    "I forgot what {} does.", "In one sentence: what is {}?", "Shortly, what does {} do?",
)  # fmt: skip
_HELD_WHAT = (
    "What purpose does {} serve?", "Could you describe what {} is good for?",
    "In a few words, what is {} about?", "Give me a short explanation of {}.",
    "What would happen if I used {}?", "I came across {}; what is it good for?",
)  # fmt: skip
_DEFAULT = (
    "What is the default of {}?", "What is the default value of {}?", "Which default has {}?",
    "What does {} default to?", "What is {} by default?", "What value has {} by default?",
    "Tell me the default of {}.", "The default of {}?", "If I do not set {}, what is it?",
    "Which value is the default of {}?", "What is the standard value of {}?",
    "What does {} start with?", "How is {} set by default?", "What is {} set to by default?",
    "What value does {} have when it is not given?", "Without setting {}, what is used?",
    "If {} is missing, what happens to its value?", "Which default value does {} have?",
    "Give me the default value of {}.", "Say the default of {}.", "default {}", "{} default?",
    "Do you know the default of {}?", "Could you tell me the default of {}?",
    "What is used for {} when I say nothing?", "I did not set {}. Which value is used?",
)  # fmt: skip
_HELD_DEFAULT = (
    "Which value does {} take when I leave it out?", "Do you know the default value for {}?",
    "What is {} when nobody sets it?",
)  # fmt: skip
_WRAP = (
    "{}", "{}", "{}", "{}", "Tell me: {}", "I have a question. {}", "One question: {}",
    "Can you help me? {}", "I am new here. {}", "{} Tell me.", "{} I want to know.",
    "Just asking: {}", "Another question: {}", "Next question: {}", "Something else: {}",
    "I could not find it: {}", "Sorry to ask. {}", "{} I could not find it.", "{} Be brief.",
    "{} Please explain.", "{} Thank you.", "{} One sentence, please.", "Help! {}", "{} I am new.",
)  # fmt: skip
_EXTRA_ASKS = lexicon.sections("puna_asks")
_EXTRA_WISHES = lexicon.sections("puna_wishes")
_HELD_WRAP = ("Something I always wondered: {}", "{} A short answer is enough.", "{}", "{}")

HELD_TEMPLATES = (*_HELD_HOW, *_HELD_WHAT, *_HELD_DEFAULT)

_NAMED: dict[Kind, tuple[str, ...]] = {
    "command": ("{}", "`{}`", "the command {}", "the {} command"),
    "flag": ("{}", "`{}`", "the flag {}", "the {} flag", "the option {}"),
    "setting": ("{}", "`{}`", "the variable {}", "the setting {}", "the environment variable {}"),
    "parameter": ("{}", "`{}`", "the parameter {}", "the {} parameter", "the option {}"),
    "instruction": ("{} in a Modelfile", "the instruction {}", "the {} instruction",
                    "`{}` in a Modelfile", "the Modelfile instruction {}"),
    "route": ("{}", "`{}`", "the route {}", "the {} route", "the endpoint {}"),
    "field": ("the field {}", "`{}` in a request", "the {} field", "{} in the API",
              "the API field {}"),
    "prompt": ("{}", "`{}`", "{} in the prompt", "{} in the chat"),
    "file": ("{}", "`{}`", "the path {}"),
}  # fmt: skip
_USE: dict[Kind, str] = {
    "command": "Use `{}`. It {}.",
    "flag": "Use `{}`. It {}.",
    "setting": "Set `{}`. It {}.",
    "parameter": "Set the parameter `{}`. It {}.",
    "instruction": "Write `{}` in the Modelfile. It {}.",
    "route": "Send `{}`. It {}.",
    "field": "Use the field `{}`. It {}.",
    "prompt": "Type `{}`. It {}.",
    "file": "Look at `{}`. It {}.",
}
_IS: dict[Kind, str] = {
    "command": "`{}` {}.",
    "flag": "The flag `{}` {}.",
    "setting": "The variable `{}` {}.",
    "parameter": "The parameter `{}` {}.",
    "instruction": "The instruction `{}` {}.",
    "route": "The route `{}` {}.",
    "field": "The field `{}` {}.",
    "prompt": "`{}` {}.",
    "file": "`{}` {}.",
}


def make(rng: Rng, *, think: bool) -> Sample:
    """A training question about Puna or cria."""
    if rng.random() < 0.33:
        return _plain(rng, pick(rng, PLAIN), think)
    entity = pick(rng, ENTITIES)
    roll = rng.random()
    if entity.default and roll < 0.2:
        text = pick(rng, _DEFAULT).format(_named(rng, entity))
        answer, about = default_answer(entity), f"the default of {entity.name}"
    elif roll < 0.55:
        text = pick(rng, _WHAT).format(_named(rng, entity))
        answer, about = what_answer(entity), entity.name
    else:
        text = pick(rng, _HOW).format(pick(rng, _wishes(entity)))
        answer, about = how_answer(entity), entity.name
    if rng.random() < 0.12:
        text = pick(rng, _WRAP).format(capitalised(text))
    return ask("puna", styled(rng, capitalised(text)), answer, _thought(about), think=think)


def _plain(rng: Rng, fact: Plain, think: bool) -> Sample:
    text = pick(rng, _WRAP).format(pick(rng, (*fact.asks, *_EXTRA_ASKS[fact.topic])))
    return ask("puna", styled(rng, text), fact.answer, _thought(fact.topic), think=think)


def _wishes(entity: Entity) -> tuple[str, ...]:
    return (*entity.wishes, *_EXTRA_WISHES[f"{entity.kind} {entity.name}"])


def _thought(about: str) -> str:
    return f"The question is about {about}."


def _named(rng: Rng, entity: Entity) -> str:
    return pick(rng, _NAMED[entity.kind]).format(entity.name)


def how_answer(entity: Entity) -> str:
    """What to do for a wish that the entity fulfils."""
    usage = entity.name if entity.kind == "field" else entity.usage
    return _USE[entity.kind].format(usage, entity.does)


def what_answer(entity: Entity) -> str:
    """What the entity is."""
    return _IS[entity.kind].format(entity.name, entity.does)


def default_answer(entity: Entity) -> str:
    """What it is when nobody sets it."""
    return f"The default of `{entity.name}` is {entity.default}."


def held_texts() -> set[str]:
    """Every wish and question that training must never say."""
    return {e.held for e in ENTITIES} | {p.held for p in PLAIN}


def held(rng: Rng, *, think: bool) -> list[Question]:
    """One to three held-out questions for each fact.

    A held-out template with known words, a known template with held-out words, or both held out.
    """
    found = []
    for entity in ENTITIES:
        template = pick(rng, _HELD_WHAT)
        text = template.format(_named(rng, entity))
        found.append(key_question(text, [entity.key], think))
        template = pick(rng, (*_HOW[:-2], *_HELD_HOW))
        found.append(key_question(template.format(entity.held), [name_key(entity)], think))
        if entity.default:
            text = pick(rng, _HELD_DEFAULT).format(_named(rng, entity))
            found.append(key_question(text, [entity.default], think))
    for fact in PLAIN:
        text = pick(rng, _HELD_WRAP).format(fact.held)
        found.append(key_question(text, [fact.key], think))
    return found


def name_key(entity: Entity) -> str:
    """What an answer to a wish must say."""
    if entity.kind == "flag":
        return entity.name.split(" ")[0].removesuffix("=false")
    return entity.name


def key_question(text: str, keys: list[str], think: bool = False) -> Question:
    """A question whose answer must hold one choice of each key."""
    groups: list[Json] = [list(key.lower().split("|")) for key in keys]
    check: dict[str, Json] = {"kind": "words", "groups": groups}
    return Question("puna", (Turn("user", capitalised(text)),), check, think=think)
