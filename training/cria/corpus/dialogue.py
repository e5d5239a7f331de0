"""Conversations: small talk, names and facts that are told and asked for later, corrections."""

from __future__ import annotations

from dataclasses import dataclass

from training.cria.corpus import arithmetic, facts, lexicon, limits, words, world
from training.cria.corpus.limits import invented
from training.cria.corpus.phrasing import styled
from training.cria.corpus.sample import Json, Question, Rng, Sample, Turn, ask, pick
from training.cria.corpus.tables import spaced

__all__ = ["HELD_TEMPLATES", "held", "make"]

_SMALL: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Hello!", "Hi", "Hello there", "Hey", "Hi there!", "hello", "Hello cria", "Greetings"),
     "Hello! How can I help you?"),
    (("Good morning", "Good morning!", "Morning"), "Good morning! How can I help you?"),
    (("Good evening", "Good evening!"), "Good evening! How can I help you?"),
    (("How are you?", "How do you do?", "How is it going?", "Are you well?", "how are you doing"),
     "I am well, thank you. How can I help you?"),
    (("Thank you", "Thanks!", "Thanks a lot", "Thank you very much", "thx", "Great, thanks"),
     "You are welcome."),
    (("Bye", "Goodbye", "See you", "Bye bye", "See you later", "I have to go"), "Goodbye!"),
    (("Good night", "Good night!", "I go to bed now"), "Good night! Sleep well."),
    (("You are great", "Well done", "Good job", "You are clever", "Nice work", "I like you"),
     "Thank you! That is kind."),
    (("You are stupid", "That is wrong", "You are bad", "That was not right", "No, that is wrong"),
     "I am sorry. I am small and make mistakes."),
    (("I am sad", "I feel bad", "I had a bad day", "I am tired"),
     "I am sorry to hear that. I hope it gets better soon."),
    (("I am happy", "I had a good day", "I feel great", "Today is a good day"),
     "I am glad to hear that!"),
    (("Ok", "Okay", "I see", "All right", "Fine", "Got it"), "Good. What else can I do for you?"),
    (("Yes", "No", "Maybe"), "All right. What can I do for you?"),
    (("Tell me a joke", "Tell me a joke.", "Do you know a joke?", "Make me laugh", "A joke please"),
     "Why did the llama cross the road? To see its cria."),
    (("Sing a song", "Can you sing?", "Sing for me"), "La la la! I am better at writing rhymes."),
    (("Say hello", "Say hi", "say hello world", "Say hello."), "Hello!"),
    (("Test", "test", "ping", "Are you there?", "Is anybody there?"), "I am here."),
    (("What is your favourite colour?", "What is your favourite food?", "What do you like?"),
     "I am a program and have no favourites."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fact:
    """Something told about oneself: `{v}` is its value."""

    about: str
    tell: tuple[str, ...]
    said: str
    asks: tuple[str, ...]
    held: tuple[str, ...]
    answer: str
    unknown: str


_FACTS: tuple[_Fact, ...] = (
    _Fact("name", (
        "My name is {v}.", "I am {v}.", "I'm {v}.", "Hello, my name is {v}.", "Hi, I am {v}.",
        "You can call me {v}.", "Call me {v}.", "My name's {v}.", "Hi! I'm {v}.",
        "Please remember: my name is {v}.", "Hello, I am {v}. Nice to meet you.",
    ), "Nice to meet you, {v}!", (
        "What is my name?", "Do you remember my name?", "Who am I?", "What am I called?",
        "Tell me my name.", "Do you know my name?", "Say my name.", "What was my name?",
        "What's my name?", "Can you tell me my name?", "And what is my name?",
    ), ("Which name did I give you?", "Please repeat my name.", "How did I say I am called?"),
        "Your name is {v}.", "You have not told me your name."),
    _Fact("city", ("I live in {v}.", "I am from {v}.", "My city is {v}.", "I come from {v}.",
                   "My home is in {v}."), "I see: you live in {v}.", (
        "Where do I live?", "Which city do I live in?", "Where am I from?", "What is my city?",
        "Do you remember where I live?", "Where is my home?"),
        ("Which place did I say I live in?",), "You live in {v}.",
        "You have not told me where you live."),
    _Fact("pet", ("My dog is called {v}.", "I have a dog named {v}.", "My dog's name is {v}."),
        "{v} is a nice name for a dog.", (
        "What is my dog called?", "What is the name of my dog?", "What is my dog's name?",
        "Do you remember my dog's name?"), ("Which name does my dog have?",),
        "Your dog is called {v}.", "You have not told me about your dog."),
    _Fact("colour", ("My favourite colour is {v}.", "I like {v} best.",
    "The colour I like is {v}."),
        "I see: you like {v}.", (
        "What is my favourite colour?", "Which colour do I like?", "What colour do I like best?",
        "Do you remember my favourite colour?"), ("Which colour did I say I like?",),
        "Your favourite colour is {v}.", "You have not told me your favourite colour."),
    _Fact("age", ("I am {v} years old.", "My age is {v}.", "I'm {v} years old."),
        "I see: you are {v} years old.", (
        "How old am I?", "What is my age?", "Do you remember my age?", "Do you know how old I am?"),
        ("Which age did I tell you?",), "You are {v} years old.", "You have not told me your age."),
    _Fact("job", ("I work as a {v}.", "My job is {v}.", "I am a {v}."), "I see: you are a {v}.", (
        "What is my job?", "What do I work as?", "What is my work?", "Do you remember my job?"),
        ("Which job did I tell you?",), "You work as a {v}.", "You have not told me your job."),
    _Fact("word", ("Remember the word {v}.", "The secret word is {v}.", "Keep this word: {v}.",
                   "The password is {v}.", "Please remember {v}."), "I will remember {v}.", (
        "What was the word?", "Which word did I tell you?", "What is the secret word?",
        "Tell me the word.", "What should you remember?", "What is the password?"),
        ("Can you repeat the word I gave you?",), "The word is {v}.",
        "You have not told me a word."),
)  # fmt: skip
HELD_TEMPLATES = tuple(text for fact in _FACTS for text in fact.held)
_COLOURS = spaced("red blue green yellow purple orange pink black white grey brown")
_JOBS = spaced(
        "teacher baker painter farmer doctor nurse cook pilot sailor driver writer singer "
        "builder gardener lawyer engineer"
    )  # fmt: skip


_EXTRA = lexicon.sections("world_asks")
_TELL = "TELL: "


def _extra(fact: _Fact, *, told: bool) -> tuple[str, ...]:
    lines = _EXTRA[f"remember {fact.about}"]
    return tuple(line.removeprefix(_TELL) for line in lines if line.startswith(_TELL) == told)


def _asks(fact: _Fact) -> tuple[str, ...]:
    return (*fact.asks, *_extra(fact, told=False))


def make(rng: Rng, *, think: bool) -> Sample:
    """A training conversation: small talk, or something told and asked for."""
    roll = rng.random()
    if roll < 0.25:
        return _small(rng, think)
    if roll < 0.33:
        return _not_told(rng, think)
    return _remembering(rng, think)


def _small(rng: Rng, think: bool) -> Sample:
    texts, answer = pick(rng, _SMALL)
    return ask("dialogue", pick(rng, texts), answer, "Small talk.", think=think)


def _not_told(rng: Rng, think: bool) -> Sample:
    fact = pick(rng, _FACTS)
    others = _fillers(rng, rng.randrange(0, 3), None)
    turns = (*others, Turn("user", styled(rng, pick(rng, _asks(fact)))),
             Turn("assistant",
             fact.unknown, thought=f"I look for the {fact.about}: not told."))  # fmt: skip
    return Sample("dialogue", turns, (), think)


def _remembering(rng: Rng, think: bool) -> Sample:
    fact = _FACTS[0] if rng.random() < 0.5 else pick(rng, _FACTS)
    value = _value(rng, fact)
    turns = [*_system(rng), *_telling(rng, fact, value)]
    if rng.random() < 0.25:
        other = pick(rng, [f for f in _FACTS if f is not fact])
        turns += _telling(rng, other, _value(rng, other))
    if rng.random() < 0.12:
        value = _value(rng, fact)
        turns.append(Turn("user", pick(rng, ("No, ", "Sorry, ", "I was wrong: ")) +
                          _lower(pick(rng, fact.tell[:4]).format(v=value))))  # fmt: skip
        turns.append(Turn("assistant", fact.said.format(v=value)))
    turns += _fillers(rng, pick(rng, (0, 1, 1, 2, 2, 3)), fact)
    turns.append(Turn("user", styled(rng, pick(rng, _asks(fact)))))
    thought = f"The {fact.about} was told: {value}."
    turns.append(Turn("assistant", fact.answer.format(v=value), thought=thought))
    return Sample("dialogue", tuple(turns), (), think)


def _lower(text: str) -> str:
    return text if text.startswith(("I ", "I'm")) else text[:1].lower() + text[1:]


def _system(rng: Rng) -> list[Turn]:
    return [Turn("system", "You are a helpful assistant.")] if rng.random() < 0.1 else []


def _telling(rng: Rng, fact: _Fact, value: str) -> list[Turn]:
    told = Turn("user", pick(rng, (*fact.tell, *_extra(fact, told=True))).format(v=value))
    return [told, Turn("assistant", fact.said.format(v=value))]


def _value(rng: Rng, fact: _Fact, *, new: bool = False) -> str:
    if fact.about in ("name", "pet"):
        return pick(rng, words.HELD_NAMES) if new else words.name(rng)
    if fact.about == "city":
        return words.city(rng)
    if fact.about == "age":
        return str(rng.randrange(5, 100))
    if fact.about == "colour":
        return pick(rng, _COLOURS)
    return pick(rng, _JOBS) if fact.about == "job" else invented(rng)


def _fillers(rng: Rng, count: int, fact: _Fact | None) -> list[Turn]:
    """Other questions with their answers, in between."""
    turns: list[Turn] = []
    for _ in range(count):
        if fact is not None and rng.random() < 0.2:
            other = pick(rng, [f for f in _FACTS if f is not fact])
            turns += _telling(rng, other, _value(rng, other))
            continue
        maker = pick(rng, (world.make, arithmetic.make, facts.make, limits.make, _small_only))
        turns += maker(rng, think=False).turns
    return turns


def _small_only(rng: Rng, *, think: bool) -> Sample:
    return _small(rng, think)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Held-out names told two turns before (six in ten) and other facts, in held-out words."""
    found: list[Question] = []
    for i in range(count):
        fact = _FACTS[0] if i % 10 < 6 else pick(rng, _FACTS[1:])
        value = _value(rng, fact, new=True)
        turns = [*_telling(rng, fact, value), *_fillers(rng, 1 + i % 2, fact)]
        turns.append(Turn("user", pick(rng, fact.held if i % 2 else fact.asks)))
        groups: list[Json] = [[value.lower()]]
        check: dict[str, Json] = {"kind": "words", "groups": groups}
        found.append(Question("memory", tuple(turns), check, think=think))
    return found
