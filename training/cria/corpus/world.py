"""Everyday knowledge: each topic is a table of things and answers with its ways of asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.cria.corpus import lexicon
from training.cria.corpus import world_data as data
from training.cria.corpus.phrasing import capitalised, styled
from training.cria.corpus.sample import Json, Question, Rng, Sample, Turn, ask, pick

__all__ = ["HELD_TEMPLATES", "TOPICS", "Topic", "held", "make"]


@dataclass(frozen=True, slots=True)
class Topic:
    """`{a}` is the thing asked about, `{b}` what is to be answered."""

    name: str
    answer: str
    pairs: Mapping[str, tuple[str, ...]]  # the first is said, any of them is right
    asks: tuple[str, ...]
    held: tuple[str, ...]
    weight: int = 10


def _one(pairs: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {a: (b,) for a, b in pairs.items()}


def _steps(names: tuple[str, ...], step: int) -> dict[str, tuple[str, ...]]:
    return {name: (names[(i + step) % len(names)],) for i, name in enumerate(names)}


def _both(pairs: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    back = {b: (a,) for a, b in pairs.items()}
    return {**back, **_one(pairs)}


def _article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def _articles(pairs: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {_article(a): (b,) for a, b in pairs.items()}


_RHYMES = {
    words[i]: (words[(i + 1) % len(words)], *(w for w in words if w != words[i]))
    for words in (line.split(" ") for line in data.RHYMES)
    for i in range(len(words))
}
_AFTER = {str(n): (str(n + 1),) for n in range(200)}
_BEFORE = {str(n): (str(n - 1),) for n in range(1, 201)}
_CITIES = {city: (country,) for country, city in data.CAPITALS.items()}

TOPICS: tuple[Topic, ...] = (
    Topic("capital", "The capital of {a} is {b}.", _one(data.CAPITALS), (
        "What is the capital of {a}?", "Which city is the capital of {a}?", "capital of {a}",
        "Name the capital of {a}.", "Tell me the capital of {a}.", "What is {a}'s capital?",
        "Do you know the capital of {a}?", "The capital of {a}?", "Say the capital of {a}.",
        "{a}: what is its capital?", "I forgot the capital of {a}.", "What's the capital of {a}?",
    ), (
        "Which town is the capital city of {a}?", "What is the name of the capital of {a}?",
        "Could you give me the capital of {a}?",
    ), 26),
    Topic("country", "{a} is the capital of {b}.", _CITIES, (
        "{a} is the capital of which country?", "Of which country is {a} the capital?",
        "Which country has the capital {a}?", "What country is {a} the capital of?",
        "In which country is {a}?", "Where is {a}?", "Which country is {a} in?",
    ), ("Which land has {a} as its capital?", "To which country does {a} belong?"), 14),
    Topic("colour", "{A} is {b}.", _one(data.COLOURS), (
        "What colour is {a}?", "What color is {a}?", "Which colour has {a}?",
        "Tell me the colour of {a}.", "What is the colour of {a}?", "What is the color of {a}?",
        "Say which colour {a} is.", "colour of {a}", "What colour does {a} have?",
    ), ("Which color would you say {a} is?", "Name the colour that {a} has."), 16),
    Topic("opposite", "The opposite of {a} is {b}.", _both(data.OPPOSITES), (
        "What is the opposite of {a}?", "opposite of {a}", "Name the opposite of {a}.",
        "Tell me the opposite of {a}.", "What is the contrary of {a}?",
        "What's the opposite of {a}?",
        "Give me the opposite of {a}.", "Which word is the opposite of {a}?",
        "The opposite of {a}?",
    ), ("Which word means the opposite of {a}?", "If something is not {a}, what is its opposite?"),
        22),
    Topic("next day", "The day after {a} is {b}.", _steps(data.DAYS, 1), (
        "What day comes after {a}?", "Which day comes after {a}?", "What is the day after {a}?",
        "Which day follows {a}?", "Today is {a}. What day is tomorrow?", "What comes after {a}?",
        "Name the day after {a}.", "After {a} comes which day?",
    ), ("If today is {a}, which day is tomorrow?", "Tell me which day is next after {a}."), 8),
    Topic("day before", "The day before {a} is {b}.", _steps(data.DAYS, -1), (
        "What day comes before {a}?", "Which day comes before {a}?", "What is the day before {a}?",
        "Today is {a}. What day was yesterday?", "What comes before {a}?",
        "Name the day before {a}.",
    ), ("If today is {a}, which day was yesterday?", "Tell me which day is right before {a}."), 8),
    Topic("next month", "The month after {a} is {b}.", _steps(data.MONTHS, 1), (
        "What month comes after {a}?", "Which month comes after {a}?",
        "What is the month after {a}?",
        "Which month follows {a}?", "Name the month after {a}.", "After {a} comes which month?",
    ), ("Tell me which month is next after {a}.", "When {a} is over, which month begins?"), 8),
    Topic("month before", "The month before {a} is {b}.", _steps(data.MONTHS, -1), (
        "What month comes before {a}?", "Which month comes before {a}?",
        "What is the month before {a}?", "Name the month before {a}.", "Which month is before {a}?",
    ), ("Tell me which month is right before {a}.",), 8),
    Topic("sound", "A {a} says {b}.", _one(data.SOUNDS), (
        "What does a {a} say?", "Which sound does a {a} make?", "What sound does a {a} make?",
        "What noise does a {a} make?", "How does a {a} sound?", "Tell me what a {a} says.",
    ), ("Which noise would a {a} make?", "Imitate a {a}."), 8),
    Topic("young", "The young of {a} is called a {b}.", _articles(data.YOUNG), (
        "What is the young of {a} called?", "What do you call the young of {a}?",
        "What is a baby of {a} called?", "How is the young of {a} called?",
        "Name the young of {a}.", "What is the name for the young of {a}?",
    ), ("Which word do we use for the young of {a}?", "What would you call the baby of {a}?"), 8),
    Topic("legs", "{A} has {b} legs.", _articles(data.LEGS), (
        "How many legs does {a} have?", "How many legs has {a}?", "Tell me how many legs {a} has.",
        "What is the number of legs of {a}?", "Count the legs of {a}.",
    ), ("On how many legs does {a} stand?", "Do you know how many legs {a} has?"), 7),
    Topic("home", "{A} lives in {b}.", _articles(data.HABITATS), (
        "Where does {a} live?", "Where is the home of {a}?", "In what does {a} live?",
        "Tell me where {a} lives.", "What is the home of {a}?",
    ), ("Where would I find {a}?", "Name the place where {a} lives."), 6),
    Topic("plural", "The plural of {a} is {b}.", _one(data.PLURALS), (
        "What is the plural of {a}?", "plural of {a}", "Tell me the plural of {a}.",
        "Name the plural of {a}.", "What's the plural of {a}?", "One {a}, two what?",
        "What is the plural form of {a}?", "Give me the plural of {a}.",
    ), ("How do I say more than one {a}?", "Which word is the plural of {a}?"), 14),
    Topic("rhyme", "{B} rhymes with {a}.", _RHYMES, (
        "What rhymes with {a}?", "Which word rhymes with {a}?", "Give me a rhyme for {a}.",
        "Find a word that rhymes with {a}.", "Name a word that rhymes with {a}.",
        "Tell me a word that rhymes with {a}.", "rhyme for {a}",
    ), ("Do you know a word that rhymes with {a}?", "Which word sounds like {a} at the end?"), 14),
    Topic("sides", "{A} has {b} sides.", _articles(data.SHAPES), (
        "How many sides does {a} have?", "How many sides has {a}?",
        "What is the number of sides of {a}?", "Count the sides of {a}.",
    ), ("Tell me how many sides {a} has.",), 3),
    Topic("kind", "{A} is {b}.", _one(data.KINDS), (
        "What kind of thing is {a}?", "What sort of thing is {a}?", "What type of thing is {a}?",
        "Is {a} an animal, a plant or a thing?", "Which kind of thing is {a}?",
    ), ("Tell me what kind of thing {a} is.",), 6),
    Topic("number after", "{b} comes after {a}.", _AFTER, (
        "Which number comes after {a}?", "What number comes after {a}?", "What comes after {a}?",
        "What is the number after {a}?", "Count one up from {a}.", "Which number follows {a}?",
    ), ("Tell me which number is next after {a}.",), 8),
    Topic("number before", "{b} comes before {a}.", _BEFORE, (
        "Which number comes before {a}?", "What number comes before {a}?", "What comes before {a}?",
        "What is the number before {a}?", "Count one down from {a}.",
    ), ("Tell me which number is right before {a}.",), 8),
)  # fmt: skip

_LISTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.", (
        "What are the days of the week?", "Name the days of the week.",
        "List the days of the week.",
        "Which days has a week?", "Tell me the days of the week in order.")),
    ("January, February, March, April, May, June, July, August, September, October, November and "
     "December.", (
        "What are the months?", "Name the months of the year.", "List the months.",
        "Which months has a year?", "Tell me the months in order.")),
    ("Spring, summer, autumn and winter.", (
        "What are the seasons?", "Name the four seasons.", "List the seasons.",
        "Which seasons are there?")),
    ("A week has 7 days.", ("How many days has a week?", "How many days are in a week?")),
    ("A year has 12 months.", ("How many months has a year?", "How many months are in a year?")),
    ("A day has 24 hours.", ("How many hours has a day?", "How many hours are in a day?")),
    ("An hour has 60 minutes.", ("How many minutes has an hour?",
                                 "How many minutes are in an hour?")),
    ("A minute has 60 seconds.", ("How many seconds has a minute?",
                                  "How many seconds are in a minute?")),
    ("A year has 365 days.", ("How many days has a year?", "How many days are in a year?")),
    ("The primary colours are red, yellow and blue.", (
        "What are the primary colours?", "Name the primary colours.")),
    ("The rainbow is red, orange, yellow, green, blue and purple.", (
        "What are the colours of the rainbow?", "Name the colours of the rainbow.")),
)  # fmt: skip

HELD_TEMPLATES = tuple(text for topic in TOPICS for text in topic.held)
_WEIGHTS = [topic.weight for topic in TOPICS]


_EXTRA_ASKS = lexicon.sections("world_asks")


def make(rng: Rng, *, think: bool) -> Sample:
    """A training question about an everyday thing."""
    roll = rng.random()
    if roll < 0.05:
        answer, asks = pick(rng, _LISTS)
        return ask("world", styled(rng, pick(rng, asks)), answer, "I know this list.", think=think)
    if roll < 0.1:
        return _counting(rng, think)
    topic = rng.choices(TOPICS, _WEIGHTS)[0]
    a, rights = pick(rng, tuple(topic.pairs.items()))
    text = capitalised(
        pick(rng, (*topic.asks, *_EXTRA_ASKS[topic.name])).format(a=a, A=capitalised(a))
    )
    answer = _fill(topic.answer, a, rights[0])
    thought = f"They ask for the {topic.name} of {a}."
    return ask("world", styled(rng, text), answer, thought, think=think)


def _fill(template: str, a: str, b: str) -> str:
    return template.format(a=a, b=b, A=capitalised(a), B=capitalised(b))


def _counting(rng: Rng, think: bool) -> Sample:
    first, length = rng.randrange(0, 60), rng.randrange(3, 11)
    down = rng.random() < 0.25 and first >= length
    last = first - length if down else first + length
    step = -1 if down else 1
    text = pick(rng, ("Count from {} to {}.", "Please count from {} to {}.",
                      "Can you count from {} to {}?",
                      "count {} to {}")).format(first, last)  # fmt: skip
    answer = ", ".join(str(n) for n in range(first, last + step, step))
    thought = f"I count {'down' if down else 'up'} from {first} to {last}."
    return ask("world", styled(rng, text), answer, thought, think=think)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Questions in held-out words, the topics in their training shares."""
    found = []
    for topic in rng.choices(TOPICS, _WEIGHTS, k=count):
        a, rights = pick(rng, tuple(topic.pairs.items()))
        text = capitalised(pick(rng, topic.held).format(a=a))
        groups: list[Json] = [[right.lower() for right in rights]]
        check: dict[str, Json] = {"kind": "words", "groups": groups}
        found.append(Question("world", (Turn("user", text),), check, think=think))
    return found
