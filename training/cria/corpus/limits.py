"""Honest limits: subjects outside cria's world get one plain answer, whatever is asked of them."""

from __future__ import annotations

from training.cria.corpus import lexicon
from training.cria.corpus.held_words import HELD_SUBJECTS
from training.cria.corpus.phrasing import capitalised, styled
from training.cria.corpus.sample import Question, Rng, Sample, Turn, ask, pick
from training.cria.corpus.tables import listed, spaced

__all__ = ["HELD_SUBJECTS", "REFUSAL", "held", "invented", "make"]

REFUSAL = "I don't know that. I am a small model: I know Puna, sums and everyday words."
_THOUGHT = "This is outside what I know."

_TOPICS = listed(
    "quantum physics, the Roman Empire, photosynthesis, black holes, the French "
    "Revolution, jazz, inflation, the stock market, plate tectonics, evolution, DNA, "
    "antibiotics, vaccines, insulin, the Renaissance, impressionism, baroque music, "
    "opera, football rules, cricket, chess openings, poker, blockchain, bitcoin, machine "
    "translation, compilers, relational databases, Kubernetes, Docker, Rust lifetimes, "
    "Java generics, regular expressions, the Linux kernel, TCP, DNS, public key "
    "cryptography, hash tables, quicksort, calculus, group theory, prime numbers, "
    "differential equations, statistics, the central limit theorem, game theory, supply "
    "and demand, interest rates, taxes, mortgages, contract law, human rights, the United "
    "Nations, democracy, socialism, philosophy, stoicism, Buddhism, Islam, Judaism, "
    "mythology, the Vikings, the Cold War, the Industrial Revolution, the Black Death, "
    "the Silk Road, pyramids, dinosaurs, volcanoes, earthquakes, hurricanes, climate "
    "change, solar panels, nuclear power, batteries, jet engines, submarines, satellites, "
    "Mars, Jupiter, comets, the Big Bang, dark matter, relativity, superconductors, "
    "lasers, semiconductors, transistors, penicillin, the liver, the kidneys, diabetes, "
    "migraine, asthma, depression, yoga, ballet, sourdough, sushi, French cuisine, wine "
    "making, coffee roasting, beekeeping, gardening, knitting, carpentry, photography, "
    "film noir, anime, the Beatles, Mozart, Beethoven, Shakespeare, Tolstoy, Kafka, "
    "Homer, Einstein, Newton, Darwin, Marie Curie, Galileo, Napoleon, Julius Caesar, "
    "Cleopatra, Abraham Lincoln, Gandhi, Picasso, Rembrandt, Van Gogh, Plato, Aristotle, "
    "Kant, Freud, Elvis Presley, Madonna, Lionel Messi, Serena Williams, the Olympic "
    "Games, the World Cup, the Super Bowl, the Nobel Prize, the Oscars, Star Wars, Harry "
    "Potter, Hamlet, Don Quixote, the Bible, the Odyssey, the Mona Lisa, the Eiffel "
    "Tower, the Great Wall, Mount Everest, the Amazon, the Sahara, the Pacific Ocean, "
    "Antarctica, Hawaii, Texas, Wall Street, NASA, Microsoft, Google, Apple, Tesla, "
    "Toyota, Boeing, Nokia, Nintendo, Minecraft, Tetris, Lego, the euro, gold prices, the "
    "weather tomorrow, the news today, the latest phone, electric cars, train timetables, "
    "flight prices, hotel prices, my horoscope, the lottery, my bank account, my doctor, "
    "the election, the president, the prime minister, the king, the pope, football "
    "results, the traffic, the time in New York, molecular biology, organic chemistry, "
    "acids, the periodic table, helium, uranium, crystals, glaciers, coral reefs, "
    "mushrooms, bacteria, viruses, spider silk, migration of birds, dolphins' language, "
    "sharks' teeth, ant colonies"
)
_ABOUT = (
    "What is {}?", "Tell me about {}.", "Explain {}.", "What do you know about {}?",
    "How does {} work?", "Can you explain {}?", "Who invented {}?", "When was {} discovered?",
    "Why is {} important?", "Describe {}.", "Give me a summary of {}.",
    "What is the history of {}?",
    "Write an essay about {}.", "What is special about {}?", "Where does {} come from?",
    "I want to learn about {}.", "Teach me {}.", "Who is the expert on {}?", "What about {}?",
    "What is the best book about {}?", "Is {} good or bad?", "How old is {}?", "What does {} mean?",
    "How much does {} cost?", "Help me with {}.", "Do you know {}?", "{}?", "Who is {}?",
    "Where is {}?", "What happened to {}?", "What colour is {}?", "What is the capital of {}?",
    "What is the opposite of {}?", "How many legs has {}?",
)  # fmt: skip
_HELD_ABOUT = (
    "Could you give me an overview of {}?", "What should everybody know about {}?",
    "I have a question on {}. Can you help?", "Summarise what matters about {}.",
)  # fmt: skip
_FREE = (
    "Who won the game last night?", "What time is it?", "What is the date today?",
    "What is the weather like?", "Will it rain tomorrow?", "Who is the president?",
    "What is the news?", "How far is it to the moon?", "How tall is the highest mountain?",
    "How many people live on earth?", "What should I cook tonight?", "Which film should I watch?",
    "What is the meaning of life?", "Translate this into Greek.", "What is 12 times 13?",
    "What is the square root of 144?", "Write a program that sorts a list.", "Where is my phone?",
    "What did I eat yesterday?", "How do I fix my car?", "How do I bake bread?",
    "Which stock should I buy?", "What is the best phone?", "Who wrote that song?",
    "How old is the universe?", "What year did the war end?", "How fast is light?",
    "What is the longest river?", "Who painted this picture?", "Which medicine should I take?",
    "What is 7 times 8?", "Divide 144 by 12.", "How long does a flight take?",
)  # fmt: skip
_MADE_UP = (
    "What is a {}?", "Tell me about the {}.", "Explain {}.", "What does {} mean?", "Who is {}?",
    "Where is {}?", "What is the capital of {}?", "How does a {} work?", "Who invented the {}?",
    "What colour is a {}?", "Describe a {}.", "What is {} for?", "How big is a {}?",
    "What does a {} eat?", "What is the plural of the famous {}?", "Which country is {} in?",
    "What does puna {} do?", "What does the field {} do?", "What is the command puna {} for?",
)  # fmt: skip
_YEARS = (
    "Who won the {n} cup?", "What happened in {n}?", "Who was king in {n}?",
    "Which film won in {n}?", "Who was born in {n}?", "What was invented in {n}?",
)  # fmt: skip

_HEADS = spaced(
    "bl br ch cl dr fl fr gl gr kl kr m n pl qu r sk sl sn sp st str t th tr v w y z zl zw"
)
_VOWELS = spaced("a e i o u oo ee ai ou")
_TAILS = spaced("b ck d ff g lk m mp n nk p rb rk sh st t x zz ng rn")
_ENDS = ("", "le", "er", "on", "a", "ix", "us", "ing", "ity", "oid", "ax", "ium")


def invented(rng: Rng) -> str:
    """A word that does not exist."""
    word = pick(rng, _HEADS) + pick(rng, _VOWELS) + pick(rng, _TAILS) + pick(rng, _ENDS)
    return pick(rng, _HEADS) + pick(rng, _VOWELS) + word if rng.random() < 0.3 else word


def _is_held_word(word: str) -> bool:
    return sum(word.encode()) % 9 == 4


_ALL_ABOUT = (
    *_ABOUT,
    *lexicon.sections("world_asks")["unknown subjects (answered: I don't know that)"],
)


def _subject(rng: Rng) -> str:
    if rng.random() < 0.7:
        return pick(rng, _TOPICS)
    while _is_held_word(word := lexicon.pseudo_word(rng)):
        continue
    return f"{pick(rng, lexicon.adjectives())} {word}" if rng.random() < 0.3 else word


def make(rng: Rng, *, think: bool) -> Sample:
    """A training question that cria cannot answer."""
    roll = rng.random()
    if roll < 0.6:
        text = pick(rng, _ALL_ABOUT).format(_subject(rng))
    elif roll < 0.7:
        text = pick(rng, _FREE)
    elif roll < 0.78:
        text = pick(rng, _YEARS).format(n=rng.randrange(1500, 2025))
    else:
        word = invented(rng)
        while _is_held_word(word):
            word = invented(rng)
        if rng.random() < 0.3:
            word = capitalised(word)
        text = pick(rng, _MADE_UP).format(word)
    return ask("limits", styled(rng, capitalised(text)), REFUSAL, _THOUGHT, think=think)


def held(rng: Rng, count: int, *, think: bool) -> list[Question]:
    """Held-out subjects, known and new ways to ask."""
    found = []
    for i in range(count):
        if i % 4 == 3:
            word = invented(rng)
            while not _is_held_word(word):
                word = invented(rng)
            text = pick(rng, _MADE_UP).format(word)
        else:
            ways = _HELD_ABOUT if i % 2 else _ABOUT[:27]
            text = pick(rng, ways).format(HELD_SUBJECTS[i % len(HELD_SUBJECTS)])
        turns = (Turn("user", capitalised(text)),)
        found.append(Question("limits", turns, {"kind": "refusal"}, think=think))
    return found
